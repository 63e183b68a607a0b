import { parseTimestamp, writeFrame } from '../../index.ts'
import { defineCommand } from '../options.ts'
import { exitCodes, print } from '../run.ts'

export const frameCommand = defineCommand({
  command: 'frame <video> <time>',
  describe: 'Write the picture that a video shows at a time',
  options: {
    output: {
      alias: 'o',
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'Picture to write: .jpg, .png, .webp, .avif, .tiff or .gif',
    },
  },
  builder: (yargs) =>
    yargs
      .positional('video', { type: 'string', demandOption: true, describe: 'File' })
      .positional('time', { type: 'string', demandOption: true, describe: 'Seconds, 1:02:03.5 or 1m30s' })
      .example('$0 frame a.mp4 1:30 -o a.jpg', 'the frame at a minute and a half'),
  run: async ({ video, time, output }, { signal }) => {
    await writeFrame(output, video, parseTimestamp(time), { signal })
    print(output)
    return exitCodes.done
  },
})
