import { formatTimestamp, type VideoRecord } from '../../index.ts'
import { defineCommand, jsonOption, storeOptions, withVideos } from '../options.ts'
import { exitCodes, print, printJson } from '../run.ts'

export const videosCommand = defineCommand({
  command: 'videos',
  describe: 'List the videos of the collection',
  options: { ...storeOptions, ...jsonOption },
  builder: (yargs) => yargs.example('$0 videos --json', 'for programs'),
  run: async ({ json, ...args }) => {
    const records = await withVideos(args, (videos) => videos.videos())
    const sorted = records.toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1))
    if (json) printJson(sorted.map(toJson))
    else for (const record of sorted) printVideo(record)
    return exitCodes.done
  },
})

const pathOf = ({ files }: VideoRecord): string => files[0]?.path ?? ''

const toJson = (record: VideoRecord) => ({
  path: pathOf(record),
  ...(record.files.length > 1 ? { copies: record.files.slice(1).map(({ path }) => path) } : {}),
  video: record.video,
  status: record.status,
  detail: record.detail ?? null,
  frames: record.frames,
  points: record.points,
  duration: record.durationSeconds ?? null,
  recordedAt: record.recordedAt ?? null,
  model: record.model,
  ...(record.reason === undefined ? {} : { reason: record.reason }),
})

const printVideo = (record: VideoRecord): void => {
  const { status, durationSeconds, frames, points, reason } = record
  const duration = durationSeconds === undefined ? '--:--:--.---' : formatTimestamp(durationSeconds)
  const counts = `${String(frames).padStart(6)} frames ${String(points).padStart(8)} points`
  print(`${status.padEnd(8)}  ${duration}  ${counts}  ${pathOf(record)}${reason === undefined ? '' : `  (${reason})`}`)
  for (const { path } of record.files.slice(1)) print(`${''.padEnd(48)}also  ${path}`)
}
