import type { Detail, VideoFile, VideoRecord, VideoStatus } from '../store/store.ts'
import type { VideoInfo } from '../video/video.ts'
import type { VideoResult } from './events.ts'
import { madeWith, type SamplingSettings } from './sampling.ts'

/** A video on its way through the pipeline. The stages count in it; nobody else sees it change. */
export type Job = {
  readonly video: string
  readonly model: string
  readonly settings: string
  /** Finer than asked for where a run that was to reach more is gone on with; none for the article's grid. */
  detail?: Detail
  /** Levels (0–255) that a patch may differ and still count as unchanged. */
  readonly tolerance: number
  /** The files of this run, the first one is decoded: each gets a result. Copies that turn up are added. */
  readonly files: [VideoFile, ...VideoFile[]]
  /** Id of the run that the record names while its points are written. */
  run: string
  /** Ids of points that an earlier, unfinished run left: they are not encoded again. */
  stored: ReadonlySet<string>
  readonly startedMs: number
  info: VideoInfo | undefined
  frames: number
  /** Patches sent to the encoder. */
  encoded: number
  /** Patches passed over because they are stored. */
  known: number
  /** Patches that looked as they did when they were last encoded. */
  unchanged: number
  /** From when to when in seconds whole frames are of one colour; `undefined` until the first whole frame. */
  flat: [number, number][] | undefined
  /** The last frame was. */
  isFlat: boolean
  /** The record names another run: nothing more is written. */
  isLost: boolean
  /** The last record is being written: a copy that turns up now has to wait for it. */
  isEnding: boolean
  readonly ended: Ended
}

/** What copies wait for. */
export type Ended = {
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

export const newJob = (
  video: string,
  file: VideoFile,
  model: string,
  settings: SamplingSettings,
  startedMs: number,
): Job => ({
  video,
  model,
  ...madeWith(settings),
  tolerance: settings.tolerance,
  files: [file],
  run: '',
  startedMs,
  stored: new Set(),
  info: undefined,
  frames: 0,
  encoded: 0,
  known: 0,
  unchanged: 0,
  flat: undefined,
  isFlat: false,
  isLost: false,
  isEnding: false,
  ended: newEnded(),
})

const newEnded = (): Ended => {
  let ways: Omit<Ended, 'promise'> | undefined
  const promise = new Promise<void>((resolve, reject) => {
    ways = { resolve, reject }
  })
  // Whether copies wait or not, whoever wrote the record throws the error.
  promise.catch(() => {})
  return { promise, ...ways! }
}

/** More of them, as flashes make, are taken together with what is between them. */
const mostFlat = 500

/** Notes whether a whole frame is of one colour. */
export const noteFlat = (job: Job, timestampSeconds: number, isFlat: boolean): void => {
  job.flat ??= []
  const last = job.flat.at(-1)
  if (isFlat && last && (job.isFlat || job.flat.length === mostFlat)) last[1] = timestampSeconds
  else if (isFlat) job.flat.push([timestampSeconds, timestampSeconds])
  job.isFlat = isFlat
}

/** What a run says of a video. */
export type Outcome = {
  readonly status: VideoStatus
  readonly reason?: string
  /**
   * Why the next run does not leave it at that: there is more to do (`continue`), or what is stored is good for nothing
   * (`anew`).
   */
  readonly next?: 'continue' | 'anew'
}

/** Stands in the store while a video is being indexed, and after a run that was broken off. */
export const unfinished: Outcome = {
  status: 'partial',
  reason: 'indexing was broken off; run it again to go on',
  next: 'continue',
}

/** @param tools versions of what decoded it: another one may make more of a damaged file */
export const recordOf = (
  job: Job,
  { next, ...outcome }: Outcome,
  { files, points, tools }: { files: readonly VideoFile[]; points: number; tools?: string },
): VideoRecord => ({
  video: job.video,
  files,
  ...outcome,
  ...(job.info?.durationSeconds === undefined ? {} : { durationSeconds: job.info.durationSeconds }),
  ...(job.info ? { width: job.info.width, height: job.info.height } : {}),
  ...(job.info?.recordedAt && { recordedAt: job.info.recordedAt }),
  frames: job.frames,
  points,
  ...(job.flat && { flat: job.flat }),
  model: job.model,
  settings: next === 'anew' ? '' : job.settings,
  ...(job.detail && { detail: job.detail }),
  ...(next ? { run: job.run } : {}),
  ...(next || outcome.status === 'complete' ? {} : { tools }),
  indexedAt: new Date().toISOString(),
})

/** One result a file: the first one did the work, copies cost nothing. */
export const resultsOf = (
  job: Job,
  { status, reason }: Outcome,
  points: number,
): readonly { result: VideoResult; bytes: number }[] =>
  job.files.map((file, i) => ({
    bytes: file.bytes,
    result: {
      path: file.path,
      video: job.video,
      status,
      frames: job.frames,
      points,
      encoded: i === 0 ? job.encoded : 0,
      unchanged: i === 0 ? job.unchanged : 0,
      seconds: i === 0 ? (performance.now() - job.startedMs) / 1000 : 0,
      ...(reason === undefined ? {} : { reason }),
    },
  }))
