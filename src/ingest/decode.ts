import { VidgrepError } from '../errors.ts'
import { videoFile } from '../files/files.ts'
import { fingerprint } from '../files/fingerprint.ts'
import { planPatches } from '../patches/views.ts'
import type { VideoFile, VideoRecord } from '../store/store.ts'
import { frames } from '../video/frames.ts'
import { probe } from '../video/probe.ts'
import { isDone } from './catalogue.ts'
import { type DecodeContext, type Decoded, failed, settled } from './decoded.ts'
import { type Job, newJob, type Outcome, recordOf, unfinished, wholeFramesOnly } from './job.ts'
import { joinJob, settleKnown } from './known.ts'
import { settingsLine } from './sampling.ts'

/** One file on its way: nothing to do, a further path of a known video, or frames to be encoded. */
export async function* decode(path: string, context: DecodeContext, signal: AbortSignal): AsyncGenerator<Decoded> {
  const startedMs = performance.now()
  const { catalogue, store, running, force } = context
  const settings = settingsLine(context.settings)
  let file: VideoFile
  let video: string
  try {
    file = await videoFile(path)
    const untouched = force ? undefined : catalogue.untouched(file, settings)
    if (untouched) return yield settled(untouched, file, startedMs)
    video = await fingerprint(path, { signal })
  } catch (error) {
    signal.throwIfAborted()
    return yield failed(path, error instanceof Error ? error.message : String(error), startedMs)
  }

  const known = running.get(video)
  if (known) return yield* joinJob(known, file, context, startedMs)
  // Claimed before anything is waited for: a copy that comes now joins.
  const job = newJob(video, file, store.collection.model, context.settings, startedMs)
  running.set(video, job)
  const record = await store.record(video, { signal })
  const isEnough = (known: VideoRecord): boolean =>
    isDone(known, settings) || (context.coarse && known.settings === settings && known.hasWholeFrames === true)
  if (record && !force && isEnough(record)) return yield* settleKnown(job, record, context)
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
  const { settings, decoding, image, coarse } = context
  let inSoftware: string | undefined
  const onSoftware = (reason: string): void => {
    inSoftware = reason
  }
  let outcome: Outcome = coarse ? wholeFramesOnly : { status: 'complete' }
  try {
    job.info = await probe(path, { signal })
    const plan = planPatches(job.info, coarse ? { ...settings.grid, grid: 'whole' } : settings.grid, image)
    const options = { ...settings, ...decoding, views: plan.views, info: job.info, onSoftware, signal }
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
