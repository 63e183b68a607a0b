import type { Argv, CommandModule } from 'yargs'
import { formatTimestamp } from '../../search/timestamp.ts'
import type { VideoRecord } from '../../store/store.ts'
import { withStore } from '../open.ts'
import { jsonOption, openOptions, type StoreArguments, storeOptions } from '../options.ts'
import { exitCodes, print, printJson, run } from '../run.ts'

type Arguments = StoreArguments & { readonly json: boolean }

export const videosCommand: CommandModule<unknown, Arguments> = {
  command: 'videos',
  describe: 'List the videos of the collection',
  builder: (yargs) =>
    storeOptions(jsonOption(yargs)).example('$0 videos --json', 'for programs') as unknown as Argv<Arguments>,
  handler: (args) =>
    run(args.json, async () => {
      const records = await withStore(openOptions(args), (store) => store.records())
      const sorted = records.toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1))
      if (args.json) printJson(sorted.map(toJson))
      else for (const record of sorted) tell(record)
      return exitCodes.done
    }),
}

const pathOf = ({ files }: VideoRecord): string => files[0]?.path ?? ''

const toJson = (record: VideoRecord) => ({
  path: pathOf(record),
  ...(record.files.length > 1 ? { copies: record.files.slice(1).map(({ path }) => path) } : {}),
  video: record.video,
  status: record.status,
  ...(record.hasWholeFrames ? { wholeFrames: true } : {}),
  frames: record.frames,
  points: record.points,
  duration: record.durationSeconds ?? null,
  model: record.model,
  ...(record.reason === undefined ? {} : { reason: record.reason }),
})

const tell = (record: VideoRecord): void => {
  const { durationSeconds, frames, points, reason, hasWholeFrames } = record
  const status = hasWholeFrames ? 'coarse' : record.status
  const duration = durationSeconds === undefined ? '--:--:--.---' : formatTimestamp(durationSeconds)
  const counts = `${String(frames).padStart(6)} frames ${String(points).padStart(8)} points`
  print(`${status.padEnd(8)}  ${duration}  ${counts}  ${pathOf(record)}${reason === undefined ? '' : `  (${reason})`}`)
  for (const { path } of record.files.slice(1)) print(`${''.padEnd(48)}also  ${path}`)
}
