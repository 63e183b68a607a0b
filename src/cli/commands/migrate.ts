import type { Argv, CommandModule } from 'yargs'
import { UsageError } from '../../errors.ts'
import { isServer, settingsFrom } from '../../settings.ts'
import { jsonOption, openOptions, type StoreArguments, storeOptions } from '../options.ts'
import { exitCodes, print, printJson, run } from '../run.ts'

type Arguments = StoreArguments & { readonly dryRun: boolean; readonly json: boolean }

export const migrateCommand: CommandModule<unknown, Arguments> = {
  command: 'migrate',
  describe: "Bring a Qdrant collection's schema up to date",
  builder: (yargs) =>
    storeOptions(jsonOption(yargs)).option('dry-run', {
      type: 'boolean',
      default: false,
      describe: 'Only say what would be done',
    }) as unknown as Argv<Arguments>,
  handler: (args) =>
    run(args.json, async ({ signal }) => {
      const { store, collection, apiKey } = settingsFrom(openOptions(args))
      if (!isServer(store)) {
        throw new UsageError(`The embedded store in ${store} keeps its own schema: there is nothing to migrate`, {
          remedy: 'Name a server: vidgrep migrate --store http://localhost:6333',
        })
      }
      const { migrate } = await import('../../store/qdrant/migrations.ts')
      const steps = await migrate(store, { collection, dryRun: args.dryRun, signal, ...(apiKey ? { apiKey } : {}) })
      if (args.json) printJson({ collection, dryRun: args.dryRun, steps })
      else if (steps.length === 0) print(`Collection "${collection}" is up to date.`)
      else
        for (const step of steps) print(`${args.dryRun ? 'would apply' : 'applied'}  ${step.name}  ${step.description}`)
      return exitCodes.done
    }),
}
