import type { Argv, CommandModule } from 'yargs'
import { forget } from '../../ingest/forget.ts'
import { withStore } from '../open.ts'
import { jsonOption, openOptions, type StoreArguments, storeOptions } from '../options.ts'
import { exitCodes, print, printJson, run } from '../run.ts'

type Arguments = StoreArguments & { readonly paths: string[]; readonly json: boolean }

export const removeCommand: CommandModule<unknown, Arguments> = {
  command: 'remove <paths..>',
  describe: 'Take videos out of the collection; the files stay',
  builder: (yargs) =>
    storeOptions(jsonOption(yargs))
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'Files, folders or globs' })
      .example('$0 remove old/', 'all videos of a folder') as unknown as Argv<Arguments>,
  handler: (args) =>
    run(args.json, async () => {
      const records = await withStore(openOptions(args), (store) => forget(store, args.paths))
      const removed = records.flatMap(({ files }) => files.map(({ path }) => path))
      if (args.json) printJson({ removed })
      else for (const path of removed) print(`removed  ${path}`)
      return exitCodes.done
    }),
}
