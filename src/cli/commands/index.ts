import type { Argv, CommandModule } from 'yargs'
import type { Shard } from '../../files/shard.ts'
import type { IngestEvent, IngestTotals, VideoResult } from '../../ingest/events.ts'
import { noTotals } from '../../ingest/events.ts'
import { defaultEverySeconds, defaultTolerance } from '../../ingest/sampling.ts'
import { defaultGridSettings, type GridKind } from '../../patches/grid.ts'
import { withIndex } from '../open.ts'
import {
  deviceOption,
  type EncodingArguments,
  encodingOptions,
  jsonOption,
  modelOption,
  openOptions,
  type StoreArguments,
  storeOptions,
} from '../options.ts'
import { openProgress } from '../progress.ts'
import { type Context, type ExitCode, exitCodes, print, printJson, run, warn } from '../run.ts'

type Arguments = StoreArguments &
  EncodingArguments & {
    readonly paths: string[]
    readonly every: number
    readonly grid: GridKind
    readonly patch: number
    readonly step: number
    readonly keyframes?: boolean
    readonly exact?: boolean
    readonly reuse: boolean
    readonly tolerance: number
    readonly hwaccel?: string
    readonly coarse: boolean
    readonly exclude?: string[]
    readonly shard?: Shard
    readonly force: boolean
    readonly quiet: boolean
    readonly json: boolean
  }

export const indexCommand: CommandModule<unknown, Arguments> = {
  command: 'index <paths..>',
  describe: 'Index videos: files, and folders with all that is in them',
  builder: (yargs) => indexOptions(yargs) as Argv<Arguments>,
  handler: (args) => run(args.json, (context) => index(args, context)),
}

const indexOptions = (yargs: Argv) =>
  encodingOptions(
    storeOptions(modelOption(deviceOption(jsonOption(yargs))))
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'Files and folders' })
      .option('every', {
        type: 'number',
        default: defaultEverySeconds,
        requiresArg: true,
        describe: 'Seconds between frames; 0: every frame',
      })
      .option('grid', {
        choices: ['patches', 'article', 'whole'] as const,
        default: defaultGridSettings.grid,
        describe: 'patches: the frame and squares of it; article: 360 px squares; whole: the frame alone',
      })
      .option('patch', {
        type: 'number',
        default: defaultGridSettings.patch,
        requiresArg: true,
        describe: "Patch edge, of the frame's shorter side",
      })
      .option('step', {
        type: 'number',
        default: defaultGridSettings.step,
        requiresArg: true,
        describe: "Step between patches, of a patch's edge",
      }),
  )
    .option('keyframes', {
      type: 'boolean',
      conflicts: 'exact',
      describe: 'Decode key frames alone: several times as fast, and frames lie further apart',
    })
    .option('exact', {
      type: 'boolean',
      describe: 'Decode every frame: half as fast, and none comes some hundredths of a second late',
    })
    .option('reuse', {
      type: 'boolean',
      default: true,
      describe: 'Encode a patch again only when it looks different; --no-reuse: every patch',
    })
    .option('tolerance', {
      type: 'number',
      default: defaultTolerance,
      requiresArg: true,
      describe: 'What counts as different, in levels of 255',
    })
    .option('hwaccel', {
      type: 'string',
      requiresArg: true,
      describe: "Decode in hardware: ffmpeg's name of a way (cuda, vaapi, videotoolbox …) or auto",
    })
    .option('coarse', {
      type: 'boolean',
      default: false,
      describe: 'Whole frames of all videos first, so that all can be searched soon; then the squares',
    })
    .option('exclude', {
      type: 'string',
      array: true,
      requiresArg: true,
      nargs: 1,
      describe: 'Leave out what matches this pattern, as in a .gitignore; may be given again',
    })
    .option('shard', {
      type: 'string',
      requiresArg: true,
      describe: 'i/n: only the i-th of n parts of the files, by their paths below the folders that are named',
    })
    .option('force', { type: 'boolean', default: false, describe: 'Index again what is already complete' })
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'Only say what went wrong' })
    .example('$0 index ~/footage', 'index a folder; run it again after adding files')
    .example('$0 index a.mp4 --every 0.5', 'two frames a second')
    .example("$0 index ~/footage --exclude '*.proxy.mp4' --exclude raw/", 'leave some of it out')
    .example('$0 index clips --shard 2/8', 'on the second of eight machines; all name the same folder')
    .example('$0 index clips --store http://localhost:6333', 'into a Qdrant server')

const index = async (args: Arguments, { signal }: Context): Promise<ExitCode> => {
  const progress = openProgress({ quiet: args.quiet || args.json, terminal: process.stderr.isTTY })
  const { every: everySeconds, grid, patch, step, force, coarse, exclude } = args
  const shard = args.shard === undefined ? {} : { shard: args.shard }
  const hwaccel = args.hwaccel === undefined ? {} : { hwaccel: args.hwaccel }
  const decode = args.keyframes ? 'keys' : args.exact ? 'all' : 'references'
  const sampling = { everySeconds, decode, grid, patch, step, tolerance: args.reuse ? args.tolerance : 0 } as const
  const summary = await withIndex(openOptions(args), (index) => {
    const jobs = args.jobs === undefined ? {} : { jobs: args.jobs }
    const events = index.ingest(args.paths, {
      ...sampling,
      force,
      coarse,
      exclude,
      signal,
      ...jobs,
      ...shard,
      ...hwaccel,
    })
    return follow(events, progress).finally(() => progress.end())
  })
  if (args.json) printJson({ videos: summary.videos, unreadable: summary.unreadable, totals: summary.totals })
  else tell(summary, args.quiet)
  const { partial, failed, unreadable } = summary.totals
  return partial + failed + unreadable > 0 ? exitCodes.someFailed : exitCodes.done
}

type Summary = {
  readonly videos: VideoResult[]
  readonly skipped: string[]
  readonly unreadable: { readonly path: string; readonly reason: string }[]
  readonly vanished: string[]
  readonly inSoftware: string[]
  totals: IngestTotals
}

const follow = async (events: AsyncIterable<IngestEvent>, progress: { show(event: IngestEvent): void }) => {
  const summary: Summary = { videos: [], skipped: [], unreadable: [], vanished: [], inSoftware: [], totals: noTotals }
  for await (const event of events) {
    progress.show(event)
    if (event.type === 'video') summary.videos.push(event.result)
    else if (event.type === 'skipped' && event.kind === 'unreadable')
      summary.unreadable.push({ path: event.path, reason: event.reason })
    else if (event.type === 'skipped') summary.skipped.push(`${event.path} (${event.reason})`)
    else if (event.type === 'software') summary.inSoftware.push(`${event.path} (${event.reason})`)
    else if (event.type === 'vanished') summary.vanished.push(event.path)
    else if (event.type === 'done') summary.totals = event.totals
  }
  return summary
}

/** Names shown before "and … more". */
const namedAtMost = 5

const tell = ({ totals, skipped, unreadable, vanished, inSoftware }: Summary, quiet: boolean): void => {
  if (inSoftware.length > 0) warn(`Not decoded in hardware but in software: ${named(inSoftware)}`)
  if (skipped.length > 0 && !quiet) warn(`Skipped ${named(skipped)}`)
  for (const { path, reason } of unreadable) warn(`${path}: ${reason}`)
  if (vanished.length > 0) warn(`Not there any more: ${named(vanished)}. To forget them: vidgrep prune`)
  if (quiet) return
  const states = (['complete', 'partial', 'failed', 'skipped', 'excluded', 'unreadable'] as const)
    .filter((state) => state === 'complete' || totals[state] > 0)
    .map((state) => `${totals[state]} ${state}`)
  if (totals.otherShards > 0) states.push(`${totals.otherShards} of other shards`)
  const gpu = totals.device === null || totals.device === 'cpu' ? '' : `, ${totals.device}`
  const done =
    totals.encoded === 0 && totals.complete === totals.videos
      ? nothingToDo(totals)
      : `${totals.encoded} patches encoded${unchanged(totals)} in ${totals.seconds.toFixed(1)} s (${(totals.encoded / totals.seconds).toFixed(0)} a second${gpu})`
  print(
    `${totals.videos} ${totals.videos === 1 ? 'video' : 'videos'}: ${states.join(', ')}; ${totals.frames} frames, ${totals.points} points. ${done}.`,
  )
}

const unchanged = ({ unchanged }: IngestTotals): string => (unchanged > 0 ? `, ${unchanged} unchanged` : '')

const nothingToDo = ({ videos, otherShards }: IngestTotals): string =>
  videos > 0
    ? 'Nothing to do: all is indexed'
    : otherShards > 0
      ? 'There is nothing to index in this shard'
      : 'There is nothing to index'

const named = (names: readonly string[]): string => {
  const more = names.length - namedAtMost
  return `${names.length}: ${names.slice(0, namedAtMost).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
