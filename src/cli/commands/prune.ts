import { defineCommand, jsonOption, storeOptions, withVideos } from '../options.ts'
import { exitCodes, print, printJson } from '../run.ts'

export const pruneCommand = defineCommand({
  command: 'prune',
  describe: 'Forget videos whose files are gone',
  options: {
    'dry-run': { type: 'boolean', default: false, describe: 'Only say what would be forgotten' },
    all: { type: 'boolean', default: false, describe: 'Go on even if not one file is left' },
    ...storeOptions,
    ...jsonOption,
  },
  builder: (yargs) => yargs.example('$0 prune --dry-run', 'look before you leap'),
  run: async ({ all, dryRun, json, ...args }) => {
    const pruned = await withVideos(args, (videos) => videos.prune({ all, dryRun }))
    if (json) printJson({ pruned })
    else if (pruned.length === 0) print('Nothing to forget: every file is still there.')
    else for (const path of pruned) print(`${dryRun ? 'would forget' : 'forgotten'}  ${path}`)
    return exitCodes.done
  },
})
