import { resolve } from 'node:path'
import { VidgrepError } from '../errors.ts'
import { hasChanged, isGone, mergedFiles, videoFile } from '../files/files.ts'
import { fingerprint } from '../files/fingerprint.ts'
import { UnreadableFileError } from '../files/regular.ts'
import type { ImageTower } from '../models/model.ts'
import { type PatchPlan, planPatches } from '../patches/views.ts'
import type { Store, VideoFile, VideoRecord } from '../store/store.ts'
import { FfmpegError } from '../video/ffmpeg.ts'
import { frames } from '../video/frames.ts'
import { probe } from '../video/probe.ts'
import type { Frame, FramesOptions } from '../video/video.ts'
import type { Catalogue } from './catalogue.ts'
import type { Claims } from './claim.ts'
import type { VideoResult } from './events.ts'
import { type Job, newJob, type Outcome } from './job.ts'
import { madeWith, type SamplingSettings } from './sampling.ts'
import { keepStills, removeStills } from './stills.ts'

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
  readonly claims: Claims
  /** Videos of this run by fingerprint: a copy joins the job of the first. */
  readonly running: Map<string, Job>
  readonly image: ImageTower
  readonly settings: SamplingSettings
  /** Decoding threads of one video. */
  readonly threads: number
  /** ffmpeg's name of a hardware acceleration method. */
  readonly hwaccel?: string
  /** Index again what is finished. */
  readonly force: boolean
  /** Whether a small picture of every frame is kept. */
  readonly keepsStills: boolean
}

/** One file on its way: nothing to do, another place of a known video, or frames to be encoded. */
export async function* decode(path: string, context: DecodeContext, signal: AbortSignal): AsyncGenerator<Decoded> {
  const startedMs = performance.now()
  const { catalogue, claims, store, running, force } = context
  const wanted = madeWith(context.settings)
  let file: VideoFile
  let video: string
  try {
    file = await videoFile(path)
    const untouched = force ? undefined : catalogue.untouched(file, wanted)
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
  const enough = await claims.claim(job, (record) => catalogue.isFinished(record, wanted), force)
  if (enough) return yield* addPlaces(job, enough, context)
  yield { kind: 'started', job }
  yield* decodeJob(job, context, signal)
}

async function* decodeJob(job: Job, context: DecodeContext, signal: AbortSignal): AsyncGenerator<Decoded> {
  const [file] = job.files
  let inSoftware: string | undefined
  const onSoftware = (reason: string): void => {
    inSoftware = reason
  }
  let outcome: Outcome = { status: 'complete' }
  try {
    yield* decodeFrames(job, context, { onSoftware, signal })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof VidgrepError)) throw error
    // What is not the file's own fault is tried again.
    const next = error instanceof FfmpegError || error instanceof UnreadableFileError ? 'continue' : undefined
    outcome = { status: job.frames > 0 ? 'partial' : 'failed', reason: error.message, next }
  }
  const isChanged = await hasChanged(file)
  if (isChanged) outcome = changedMeanwhile
  if (isChanged || job.isLost) await removeStills(job.video)
  if (inSoftware !== undefined) yield { kind: 'software', path: file.path, reason: inSoftware }
  yield { kind: 'ended', job, outcome }
}

async function* decodeFrames(
  job: Job,
  { settings, threads, hwaccel, image, force, keepsStills }: DecodeContext,
  { onSoftware, signal }: Pick<FramesOptions, 'onSoftware' | 'signal'>,
): AsyncGenerator<Decoded> {
  const [{ path }] = job.files
  const info = await probe(path, { decode: settings.decode, signal })
  job.info = info
  const plan = planPatches(info, job.detail ?? 'article', image)
  const { views } = plan
  const stills = keepsStills ? keepStills(job.video, { ...settings, info, views, force }) : undefined
  let isComplete = false
  try {
    for await (const frame of frames(path, { ...settings, threads, hwaccel, views, info, onSoftware, signal })) {
      if (job.isLost) return
      job.frames += 1
      await stills?.add(frame)
      yield { kind: 'frame', job, frame, plan }
    }
    isComplete = true
  } finally {
    await stills?.close(isComplete)
  }
}

const changedMeanwhile: Outcome = {
  status: 'failed',
  reason: 'the file changed while it was indexed; run it again when it is complete',
  next: 'anew',
}

/** The content is in the collection, and all of it is there: only its places are new. */
export async function* addPlaces(job: Job, record: VideoRecord, context: DecodeContext): AsyncGenerator<Decoded, void> {
  job.isEnding = true
  try {
    for (const file of job.files) yield placed(await addPlace(record.video, file, context), file, job.startedMs)
    job.ended.resolve()
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
  await job.ended.promise
  yield placed(await addPlace(job.video, file, context), file, startedMs)
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
  video: string,
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
