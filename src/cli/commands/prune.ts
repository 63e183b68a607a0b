import type { Argv, CommandModule } from 'yargs'
import { prune } from '../../ingest/forget.ts'
import { withStore } from '../open.ts'
import { jsonOption, openOptions, type StoreArguments, storeOptions } from '../options.ts'
import { exitCodes, print, printJson, run } from '../run.ts'

type Arguments = StoreArguments & { readonly dryRun: boolean; readonly all: boolean; readonly json: boolean }

export const pruneCommand: CommandModule<unknown, Arguments> = {
  command: 'prune',
  describe: 'Forget videos whose files are gone',
  builder: (yargs) =>
    storeOptions(jsonOption(yargs))
      .option('dry-run', { type: 'boolean', default: false, describe: 'Only say what would be forgotten' })
      .option('all', { type: 'boolean', default: false, describe: 'Go on even if no file at all is left' })
      .example('$0 prune --dry-run', 'look before you leap') as unknown as Argv<Arguments>,
  handler: (args) =>
    run(args.json, async () => {
      const { all, dryRun, json } = args
      const pruned = await withStore(openOptions(args), (store) => prune(store, { all, dryRun }))
      if (json) printJson({ pruned })
      else for (const path of pruned) print(`${dryRun ? 'would forget' : 'forgotten'}  ${path}`)
      return exitCodes.done
    }),
}
