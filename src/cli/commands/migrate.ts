import { migrate } from '../../index.ts'
import { defineCommand, jsonOption, openOptions, storeOptions } from '../options.ts'
import { exitCodes, print, printJson } from '../run.ts'

export const migrateCommand = defineCommand({
  command: 'migrate',
  describe: 'Bring a collection that an older vidgrep wrote up to date',
  options: {
    'dry-run': { type: 'boolean', default: false, describe: 'Only say what would be done' },
    ...storeOptions,
    ...jsonOption,
  },
  builder: (yargs) => yargs.example('$0 migrate --store http://localhost:6333 --dry-run', 'see what would change'),
  run: async ({ dryRun, json, ...args }, { signal }) => {
    const { collection, steps } = await migrate({ ...openOptions(args), dryRun, signal })
    if (json) printJson({ collection, dryRun, steps })
    else if (steps.length === 0) print(`Collection "${collection}" is up to date.`)
    else
      for (const { name, description } of steps) print(`${dryRun ? 'would apply' : 'applied'}  ${name}  ${description}`)
    return exitCodes.done
  },
})
