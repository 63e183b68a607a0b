import type { InferredOptionTypes } from 'yargs'
import {
  defaultDetail,
  defaultEverySeconds,
  defaultTolerance,
  details,
  type IngestEvent,
  type IngestTotals,
  type VideoResult,
} from '../../index.ts'
import { defineCommand, type NamedOptions, runningOptions, withIndex } from '../options.ts'
import { openProgress, type Progress } from '../progress.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

/** What to do with each video, and which files to leave out. */
export const ingestOptions = {
  every: {
    type: 'number',
    default: defaultEverySeconds,
    requiresArg: true,
    describe: 'Seconds between frames; 0: every frame',
  },
  detail: {
    choices: details,
    conflicts: 'grid',
    describe: `Which patches to store: the frame alone, or more and smaller squares too [default: ${defaultDetail}]`,
  },
  grid: {
    choices: ['article'] as const,
    describe: "The article's squares of 360 px instead",
  },
  keyframes: {
    type: 'boolean',
    conflicts: 'exact',
    describe: 'Decode key frames only: several times as fast, with frames further apart',
  },
  exact: {
    type: 'boolean',
    describe: 'Decode every frame: half as fast, with no frame a few hundredths of a second late',
  },
  reuse: {
    type: 'boolean',
    default: true,
    describe: 'Encode a patch again only when it looks different; --no-reuse: encode every patch',
  },
  tolerance: {
    type: 'number',
    default: defaultTolerance,
    requiresArg: true,
    describe: 'How much a patch must change to count as different, in levels of 255',
  },
  stills: {
    type: 'boolean',
    default: true,
    describe: 'Keep a small picture of each frame in the cache folder, for the page; --no-stills: keep none',
  },
  hwaccel: {
    type: 'string',
    requiresArg: true,
    describe: "Hardware acceleration method, by ffmpeg's name (cuda, vaapi, videotoolbox …), or auto",
  },
  exclude: {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'Leave out what matches this pattern, as in a .gitignore; may be given again',
  },
  shard: {
    type: 'string',
    requiresArg: true,
    describe: 'i/n: only the i-th of n parts of the files, by their paths below the folders given',
  },
} as const satisfies NamedOptions

type IngestArguments = InferredOptionTypes<typeof ingestOptions> & { readonly jobs?: number }

export const ingestSettings = ({ every, tolerance, reuse, keyframes, exact, ...args }: IngestArguments) => {
  const { detail, grid, exclude, shard, jobs, hwaccel, stills } = args
  return {
    ...{ detail, grid, everySeconds: every, tolerance: reuse ? tolerance : 0 },
    decode: keyframes ? 'keys' : exact ? 'all' : 'references',
    ...{ exclude, shard, jobs, hwaccel, stills },
  } as const
}

export const indexCommand = defineCommand({
  command: 'index <paths..>',
  describe: 'Index videos: files, and folders with everything in them',
  options: {
    ...ingestOptions,
    coarse: {
      type: 'boolean',
      default: false,
      describe: 'One level of detail after the other for all videos, so that all can be searched soon',
    },
    force: { type: 'boolean', default: false, describe: 'Index again what is already complete' },
    ...runningOptions,
  },
  builder: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'Files and folders' })
      .epilogue(
        'A video that was indexed before is added to when --detail is finer, and indexed again when the other settings (--every, --grid, --keyframes, --exact, --tolerance) differ.',
      )
      .example('$0 index ~/footage', 'index a folder; run it again after adding files')
      .example('$0 index a.mp4 --every 0.5', 'two frames per second')
      .example('$0 index ~/footage --detail high', 'find smaller things too; adds to what is there')
      .example("$0 index ~/footage --exclude '*.proxy.mp4' --exclude raw/", 'leave some of it out')
      .example('$0 index clips --shard 2/8', 'on the second of eight machines; all name the same folder')
      .example('$0 index clips --store http://localhost:6333', 'into a Qdrant server'),
  run: async (args, { signal }) => {
    const { force, coarse } = args
    const progress = openProgress({ quiet: args.quiet || args.json })
    const options = { ...ingestSettings(args), force, coarse, signal }
    const summary = await withIndex(args, (index) => follow(index.ingest(args.paths, options), progress))
    const { videos, unreadable, totals } = summary
    if (args.json) printJson({ videos, unreadable, totals })
    else printSummary(summary, args.quiet)
    return totals.partial + totals.failed + totals.unreadable > 0 ? exitCodes.someFailed : exitCodes.done
  },
})

type Unreadable = { readonly path: string; readonly reason: string }

type Summary = {
  readonly videos: readonly VideoResult[]
  readonly skipped: readonly string[]
  readonly unreadable: readonly Unreadable[]
  readonly vanished: readonly string[]
  readonly inSoftware: readonly string[]
  readonly totals: IngestTotals
}

const follow = async (events: AsyncIterable<IngestEvent>, progress: Progress): Promise<Summary> => {
  const [videos, unreadable] = [[] as VideoResult[], [] as Unreadable[]]
  const [skipped, vanished, inSoftware] = [[] as string[], [] as string[], [] as string[]]
  try {
    for await (const event of events) {
      progress.show(event)
      if (event.type === 'video') videos.push(event.result)
      else if (event.type === 'skipped' && event.kind === 'unreadable')
        unreadable.push({ path: event.path, reason: event.reason })
      else if (event.type === 'skipped') skipped.push(`${event.path} (${event.reason})`)
      else if (event.type === 'software') inSoftware.push(`${event.path} (${event.reason})`)
      else if (event.type === 'vanished') vanished.push(event.path)
      else if (event.type === 'done') return { videos, skipped, unreadable, vanished, inSoftware, totals: event.totals }
    }
  } finally {
    progress.end()
  }
  throw new Error('Expected the run to end with its totals')
}

const printSummary = ({ totals, skipped, unreadable, vanished, inSoftware }: Summary, quiet: boolean): void => {
  if (inSoftware.length > 0) warn(`Decoded in software, not hardware: ${named(inSoftware)}`)
  if (skipped.length > 0 && !quiet) warn(`Skipped ${named(skipped)}`)
  for (const { path, reason } of unreadable) warn(`${path}: ${reason}`)
  if (vanished.length > 0) warn(`No longer there: ${named(vanished)}. To forget them: vidgrep prune`)
  if (quiet) return
  const { videos, complete, frames, points, otherShards } = totals
  const states = (['complete', 'partial', 'failed', 'skipped', 'excluded', 'unreadable'] as const)
    .filter((state) => state === 'complete' || totals[state] > 0)
    .map((state) => `${totals[state]} ${state}`)
  if (otherShards > 0) states.push(`${otherShards} in other shards`)
  const done = totals.encoded === 0 && complete === videos ? nothingToDo(totals) : encodedLine(totals)
  print(
    `${videos} ${videos === 1 ? 'video' : 'videos'}: ${states.join(', ')}; ${frames} frames, ${points} points. ${done}.`,
  )
}

const encodedLine = ({ encoded, unchanged, seconds, device }: IngestTotals): string => {
  const same = unchanged > 0 ? `, ${unchanged} unchanged` : ''
  const gpu = device === null || device === 'cpu' ? '' : `, ${device}`
  return `${encoded} patches encoded${same} in ${seconds.toFixed(1)} s (${(encoded / seconds).toFixed(0)} per second${gpu})`
}

const nothingToDo = ({ videos, otherShards }: IngestTotals): string =>
  videos > 0
    ? 'Nothing to do: all is indexed'
    : otherShards > 0
      ? 'There is nothing to index in this shard'
      : 'There is nothing to index'

/** Names shown before "and … more". */
const namedAtMost = 5

const named = (names: readonly string[]): string => {
  const more = names.length - namedAtMost
  return `${names.length}: ${names.slice(0, namedAtMost).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
