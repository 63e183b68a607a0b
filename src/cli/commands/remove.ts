import { defineCommand, jsonOption, storeOptions, withVideos } from '../options.ts'
import { exitCodes, print, printJson } from '../run.ts'

export const removeCommand = defineCommand({
  command: 'remove <paths..>',
  describe: 'Take videos out of the collection; the files stay',
  options: { ...storeOptions, ...jsonOption },
  builder: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'Files, folders or globs' })
      .example('$0 remove old/', 'all videos of a folder'),
  run: async ({ paths, json, ...args }) => {
    const records = await withVideos(args, (videos) => videos.remove(paths))
    const removed = records.flatMap(({ files }) => files.map(({ path }) => path))
    if (json) printJson({ removed })
    else for (const path of removed) print(`removed  ${path}`)
    return exitCodes.done
  },
})
