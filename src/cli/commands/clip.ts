import { type ClipMode, formatSpan, parseTimestamp, writeClip } from '../../index.ts'
import { defineCommand, jsonOption } from '../options.ts'
import { exitCodes, print, printJson } from '../run.ts'

const modes: readonly ClipMode[] = ['auto', 'copy', 'encode']

export const clipCommand = defineCommand({
  command: 'clip <video> <from> <to>',
  describe: 'Cut a clip out of a video, with its sound',
  options: {
    output: {
      alias: 'o',
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'File to write: .mp4, .m4v, .mov or .mkv',
    },
    mode: {
      choices: modes,
      default: modes[0],
      requiresArg: true,
      describe: 'auto: copy where that is exact, else encode; copy: without loss, from the key frame before',
    },
    force: { type: 'boolean', default: false, describe: 'Replace a video that is there' },
    ...jsonOption,
  },
  builder: (yargs) =>
    yargs
      .positional('video', { type: 'string', demandOption: true, describe: 'File' })
      .positional('from', { type: 'string', demandOption: true, describe: 'Begin: seconds, 1:02:03.5 or 1m30s' })
      .positional('to', { type: 'string', demandOption: true, describe: 'End, which is not part of it' })
      .example('$0 clip a.mp4 1:30 1:42 -o b.mp4', 'twelve seconds'),
  run: async ({ video, from, to, output, mode, force, json }, { signal }) => {
    const [fromSeconds, toSeconds] = [parseTimestamp(from), parseTimestamp(to)]
    const clip = await writeClip(video, { fromSeconds, toSeconds, file: output, mode, force, signal })
    const span = { from: clip.fromSeconds, to: clip.toSeconds }
    if (json) printJson({ path: video, file: clip.file, mode: clip.mode, ...span })
    else print(`${clip.file}: ${formatSpan(span)}, ${clip.mode === 'copy' ? 'copied' : 'encoded'}`)
    return exitCodes.done
  },
})
