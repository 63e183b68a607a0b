import type { RemovedPlaces } from '../../index.ts'
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
    const removed = await withVideos(args, (videos) => videos.remove(paths))
    if (json) printJson({ removed: removed.flatMap((video) => video.removed), videos: removed })
    else removed.forEach(tell)
    return exitCodes.done
  },
})

const tell = ({ removed, left }: RemovedPlaces): void => {
  for (const path of removed) print(`removed  ${path}`)
  for (const path of left) print(`  kept   ${path} (the same video)`)
}
