import { resolve } from 'node:path'
import { VidgrepError } from '../errors.ts'
import { isGone, mergedFiles, videoFile } from '../files/files.ts'
import { fingerprint } from '../files/fingerprint.ts'
import type { ImageTower } from '../models/model.ts'
import { type PatchPlan, planPatches } from '../patches/views.ts'
import type { Store, VideoFile, VideoRecord } from '../store/store.ts'
import { frames } from '../video/frames.ts'
import { probe } from '../video/probe.ts'
import type { Frame } from '../video/video.ts'
import { type Catalogue, isDone } from './catalogue.ts'
import type { VideoResult } from './events.ts'
import { type Job, newJob, type Outcome, recordOf, unfinished, wholeFramesOnly } from './job.ts'
import { type SamplingSettings, settingsLine } from './sampling.ts'

/** What decoding hands to the next stage, in order for one video: started, frames, ended; or one `result` alone. */
export type Decoded =
  | { readonly kind: 'started'; readonly job: Job }
  | { readonly kind: 'frame'; readonly job: Job; readonly frame: Frame; readonly plan: PatchPlan }
  | { readonly kind: 'ended'; readonly job: Job; readonly outcome: Outcome }
  | { readonly kind: 'software'; readonly path: string; readonly reason: string }
  | { readonly kind: 'result'; readonly result: VideoResult; readonly bytes: number }

export type DecodeContext = {
  readonly store: Store
  readonly catalogue: Catalogue
  /** Videos of this run by fingerprint: a copy joins the job of the first. */
  readonly running: Map<string, Job>
  readonly image: ImageTower
  readonly settings: SamplingSettings
  /** Decoding threads of one video. */
  readonly threads: number
  /** ffmpeg's name of a hardware acceleration method. */
  readonly hwaccel?: string
  /** Only the whole frames; the squares are left to another pass. */
  readonly coarse: boolean
  /** Index again what is complete. */
  readonly force: boolean
}

/** One file on its way: nothing to do, another place of a known video, or frames to be encoded. */
export async function* decode(path: string, context: DecodeContext, signal: AbortSignal): AsyncGenerator<Decoded> {
  const startedMs = performance.now()
  const { catalogue, store, running, force } = context
  const settings = settingsLine(context.settings)
  let file: VideoFile
  let video: string
  try {
    file = await videoFile(path)
    const untouched = force ? undefined : catalogue.untouched(file, settings)
    if (untouched) return yield resultOf(untouched, file, startedMs)
    video = await fingerprint(path, { signal })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof VidgrepError)) throw error
    return yield failed(path, error.message, startedMs)
  }

  const known = running.get(video)
  if (known) return yield* join(known, file, context, startedMs)
  // Claimed before anything is waited for: a copy that comes now joins.
  const job = newJob(video, file, store.collection.model, context.settings, startedMs)
  running.set(video, job)
  const record = await store.record(video, { signal })
  const isEnough = (known: VideoRecord): boolean =>
    isDone(known, settings) || (context.coarse && known.settings === settings && known.hasWholeFrames === true)
  if (record && !force && isEnough(record)) return yield* addPlaces(job, record, context)
  await prepare(job, record, context)
  yield { kind: 'started', job }
  yield* decodeJob(job, context, signal)
}

/** What an unfinished run left is kept if it was made with the same settings, else it goes. */
const prepare = async (job: Job, record: VideoRecord | undefined, context: DecodeContext): Promise<void> => {
  const { store, catalogue, force } = context
  if (record && !force && record.settings === job.settings) {
    job.stored = await store.pointIds(job.video)
    job.hasWholeFrames = record.hasWholeFrames ?? false
  } else if (record) {
    // Marked first: a kill while its points are going must not leave a record that says complete.
    await catalogue.update(job.video, () => ({ ...record, ...unfinished }))
    await store.deleteVideo(job.video)
  }
  await catalogue.update(job.video, (now) =>
    // Another process may have completed it since: that stands.
    now && !force && isDone(now, job.settings) ? undefined : recordOf(job, unfinished, (now ?? record)?.files ?? []),
  )
}

async function* decodeJob(job: Job, context: DecodeContext, signal: AbortSignal): AsyncGenerator<Decoded> {
  const { path } = job.files[0]
  const { settings, threads, hwaccel, image, coarse } = context
  let inSoftware: string | undefined
  const onSoftware = (reason: string): void => {
    inSoftware = reason
  }
  let outcome: Outcome = coarse ? wholeFramesOnly : { status: 'complete' }
  try {
    job.info = await probe(path, { signal })
    const plan = planPatches(job.info, coarse ? { ...settings.grid, grid: 'whole' } : settings.grid, image)
    const options = { ...settings, threads, hwaccel, views: plan.views, info: job.info, onSoftware, signal }
    for await (const frame of frames(path, options)) {
      job.frames += 1
      yield { kind: 'frame', job, frame, plan }
    }
    job.hasWholeFrames = true
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof VidgrepError)) throw error
    outcome = { status: job.frames > 0 ? 'partial' : 'failed', reason: error.message }
  }
  if (inSoftware !== undefined) yield { kind: 'software', path, reason: inSoftware }
  yield { kind: 'ended', job, outcome }
}

/** The content is in the collection, and all of it is there: only its places are new. */
export async function* addPlaces(job: Job, record: VideoRecord, context: DecodeContext): AsyncGenerator<Decoded, void> {
  job.isEnding = true
  try {
    for (const file of job.files) yield placed(await addPlace(record, file, context), file, job.startedMs)
    job.ended.resolve(record)
  } catch (error) {
    job.ended.reject(error)
    throw error
  }
}

/** A copy of a video of this run: one more result of its job, or one more place when that is done. */
export async function* join(
  job: Job,
  file: VideoFile,
  context: DecodeContext,
  startedMs: number,
): AsyncGenerator<Decoded, void> {
  if (!job.isEnding) return void job.files.push(file)
  yield placed(await addPlace(await job.ended.promise, file, context), file, startedMs)
}

const placed = (record: VideoRecord | undefined, file: VideoFile, startedMs: number): Decoded =>
  record
    ? resultOf(record, file, startedMs)
    : failed(file.path, 'another process removed it from the collection just now; run it again', startedMs)

/**
 * The record gets the path, and the points too if the path that they show is gone.
 *
 * @returns `undefined` if another process has removed the record
 */
const addPlace = async (
  { video }: VideoRecord,
  file: VideoFile,
  { store, catalogue }: DecodeContext,
): Promise<VideoRecord | undefined> => {
  const shown = (await store.record(video))?.files[0]
  const isMoved = shown === undefined || (shown.path !== file.path && (await isGone(shown.path)))
  let added: VideoRecord | undefined
  await catalogue.update(video, (record) => {
    if (!record) return undefined
    const files = isMoved ? mergedFiles([file], record.files) : withFile(record.files, file)
    added = { ...record, files }
    return added
  })
  if (!added) return undefined
  await catalogue.takeOver(file.path, video)
  if (isMoved) await store.setPath(video, file.path)
  return added
}

/** `files` with `file` added at the end, or brought up to date in its place. */
const withFile = (files: readonly VideoFile[], file: VideoFile): readonly VideoFile[] =>
  files.some(({ path }) => path === file.path)
    ? files.map((known) => (known.path === file.path ? file : known))
    : [...files, file]

/** A file of a video that is in the collection. */
const resultOf = (record: VideoRecord, file: VideoFile, startedMs: number): Decoded => ({
  kind: 'result',
  bytes: file.bytes,
  result: {
    path: file.path,
    video: record.video,
    status: record.status,
    frames: record.frames,
    points: record.points,
    encoded: 0,
    unchanged: 0,
    seconds: secondsSince(startedMs),
    ...(record.reason === undefined ? {} : { reason: record.reason }),
  },
})

/** A file that nothing could be done with. */
const failed = (path: string, reason: string, startedMs: number): Decoded => ({
  kind: 'result',
  bytes: 0,
  result: {
    path: resolve(path),
    video: null,
    status: 'failed',
    frames: 0,
    points: 0,
    encoded: 0,
    unchanged: 0,
    seconds: secondsSince(startedMs),
    reason,
  },
})

const secondsSince = (startedMs: number): number => (performance.now() - startedMs) / 1000
