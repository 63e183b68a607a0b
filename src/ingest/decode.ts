import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { PatchPlan } from '../frames/views.ts'
import { planPatches } from '../frames/views.ts'
import type { ImageTower } from '../models/model.ts'
import type { Store, VideoFile, VideoRecord } from '../store/store.ts'
import { fingerprint } from '../video/fingerprint.ts'
import { frames } from '../video/frames.ts'
import { probe } from '../video/probe.ts'
import { DamagedVideoError, type Frame, NotAVideoError } from '../video/video.ts'
import { type Catalogue, isDone, videoFile, withFile } from './catalogue.ts'
import type { VideoResult } from './events.ts'
import { type Job, type Outcome, recordOf, type SamplingSettings, settingsLine, unfinished } from './job.ts'

/** What decoding hands to the next stage, in order for one video: started, frames, ended; or one `settled` alone. */
export type Decoded =
  | { readonly kind: 'started'; readonly job: Job }
  | { readonly kind: 'frame'; readonly job: Job; readonly frame: Frame; readonly plan: PatchPlan }
  | { readonly kind: 'ended'; readonly job: Job; readonly outcome: Outcome }
  | { readonly kind: 'settled'; readonly result: VideoResult; readonly bytes: number }

export type DecodeContext = {
  readonly store: Store
  readonly catalogue: Catalogue
  /** Videos of this run by fingerprint: a copy joins the job of the first. */
  readonly running: Map<string, Job>
  readonly image: ImageTower
  readonly settings: SamplingSettings
  /** Index again what is complete. */
  readonly force: boolean
}

/** One file on its way: nothing to do, a further path of a known video, or frames to be encoded. */
export async function* decode(path: string, context: DecodeContext, signal: AbortSignal): AsyncGenerator<Decoded> {
  const startedMs = performance.now()
  const settings = settingsLine(context.settings)
  const { catalogue, force } = context
  let file: VideoFile
  let video: string
  try {
    file = await videoFile(path)
    const untouched = force ? undefined : catalogue.untouched(file, settings)
    if (untouched) return yield settled(untouched, file, startedMs)
    video = await fingerprint(path, { signal })
  } catch (error) {
    signal.throwIfAborted()
    return yield unreadable(path, error, startedMs)
  }

  const running = context.running.get(video)
  if (running && !running.record) return join(running, file)
  const record = catalogue.byVideo(video)
  if (record && (running || (!force && isDone(record, settings)))) {
    return yield settled(await addPath(record, file, context), file, startedMs)
  }
  const job = newJob(video, file, record, context, startedMs)
  context.running.set(video, job)
  await prepare(job, record, context)
  yield { kind: 'started', job }
  yield* decodeJob(job, context, signal)
}

/** A copy of a video that is being indexed right now: one job, one more result. */
const join = (job: Job, file: VideoFile): void => {
  job.files = withFile(job.files, file)
  job.reported.push(file)
}

const newJob = (
  video: string,
  file: VideoFile,
  record: VideoRecord | undefined,
  context: DecodeContext,
  startedMs: number,
): Job => ({
  video,
  model: context.store.collection.model,
  settings: settingsLine(context.settings),
  files: withFile(record?.files ?? [], file),
  reported: [file],
  startedMs,
  stored: new Set(),
  info: undefined,
  frames: 0,
  encoded: 0,
  known: 0,
  record: undefined,
})

/** What an unfinished run left is kept if it was made with the same settings, else it goes. */
const prepare = async (job: Job, record: VideoRecord | undefined, context: DecodeContext): Promise<void> => {
  if (record && !context.force && record.settings === job.settings) {
    job.stored = await context.store.pointIds(job.video)
  } else if (record) {
    await context.store.deleteVideo(job.video)
  }
  await context.catalogue.put(recordOf(job, unfinished))
}

async function* decodeJob(job: Job, context: DecodeContext, signal: AbortSignal): AsyncGenerator<Decoded> {
  const path = job.reported[0]!.path
  try {
    job.info = await probe(path, { signal })
    const plan = planPatches(job.info, context.settings.grid, context.image)
    const { everySeconds } = context.settings
    for await (const frame of frames(path, { everySeconds, views: plan.views, info: job.info, signal })) {
      job.frames += 1
      yield { kind: 'frame', job, frame, plan }
    }
    yield { kind: 'ended', job, outcome: { status: 'complete' } }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof NotAVideoError || error instanceof DamagedVideoError)) throw error
    yield { kind: 'ended', job, outcome: { status: job.frames > 0 ? 'partial' : 'failed', reason: error.message } }
  }
}

/** The content is known: the record gets the path, and the points too if the path that they show is gone. */
const addPath = async (record: VideoRecord, file: VideoFile, { store, catalogue }: DecodeContext) => {
  const shown = record.files[0]
  const gone = shown === undefined || (shown.path !== file.path && !(await exists(shown.path)))
  const files = withFile(record.files, file)
  const added = { ...record, files: gone ? [file, ...files.filter(({ path }) => path !== file.path)] : files }
  await catalogue.put(added)
  await catalogue.takeOver(file.path, record.video)
  if (gone) await store.setPath(record.video, file.path)
  return added
}

const exists = async (path: string): Promise<boolean> => {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}

const settled = (record: VideoRecord, file: VideoFile, startedMs: number): Decoded => ({
  kind: 'settled',
  bytes: file.bytes,
  result: {
    path: file.path,
    video: record.video,
    status: record.status,
    frames: record.frames,
    points: record.points,
    encoded: 0,
    seconds: (performance.now() - startedMs) / 1000,
    ...(record.reason === undefined ? {} : { reason: record.reason }),
  },
})

const unreadable = (path: string, error: unknown, startedMs: number): Decoded => ({
  kind: 'settled',
  bytes: 0,
  result: {
    path: resolve(path),
    video: null,
    status: 'failed',
    frames: 0,
    points: 0,
    encoded: 0,
    seconds: (performance.now() - startedMs) / 1000,
    reason: error instanceof Error ? error.message : String(error),
  },
})
