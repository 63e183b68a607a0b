import type { Argv, CommandModule } from 'yargs'
import { parseTimestamp } from '../../search/timestamp.ts'
import { exitCodes, print, run } from '../run.ts'

type Arguments = { readonly video: string; readonly time: string; readonly output: string }

export const frameCommand: CommandModule<unknown, Arguments> = {
  command: 'frame <video> <time>',
  describe: 'Write the picture that a video shows at a time',
  builder: (yargs) =>
    yargs
      .positional('video', { type: 'string', demandOption: true, describe: 'File' })
      .positional('time', { type: 'string', demandOption: true, describe: 'Seconds, 1:02:03.5 or 1m30s' })
      .option('output', {
        alias: 'o',
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'Picture to write: .jpg, .png, .webp, …',
      })
      .example('$0 frame a.mp4 1:30 -o a.jpg', 'the frame at a minute and a half') as unknown as Argv<Arguments>,
  handler: ({ video, time, output }) =>
    run(false, async ({ signal }) => {
      const [{ default: sharp }, { frame }] = await Promise.all([import('sharp'), import('../../video/still.ts')])
      const { data, width, height } = await frame(video, parseTimestamp(time), { signal })
      await sharp(data, { raw: { width, height, channels: 3 } }).toFile(output)
      print(output)
      return exitCodes.done
    }),
}
