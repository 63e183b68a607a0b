import { isGone, mergedFiles } from '../files/files.ts'
import type { VideoFile, VideoRecord } from '../store/store.ts'
import { type DecodeContext, type Decoded, failed, settled } from './decoded.ts'
import type { Job } from './job.ts'

/** The content is in the collection, and all of it is there: only its places are new. */
export async function* settleKnown(
  job: Job,
  record: VideoRecord,
  context: DecodeContext,
): AsyncGenerator<Decoded, void> {
  job.isSettling = true
  try {
    for (const file of job.files) yield placed(await addPath(record, file, context), file, job.startedMs)
    job.settled.resolve(record)
  } catch (error) {
    job.settled.reject(error)
    throw error
  }
}

/** A copy of a video of this run: one more result of its job, or one more path when that is done. */
export async function* joinJob(
  job: Job,
  file: VideoFile,
  context: DecodeContext,
  startedMs: number,
): AsyncGenerator<Decoded, void> {
  if (!job.isSettling) return void job.files.push(file)
  yield placed(await addPath(await job.settled.promise, file, context), file, startedMs)
}

const placed = (record: VideoRecord | undefined, file: VideoFile, startedMs: number): Decoded =>
  record
    ? settled(record, file, startedMs)
    : failed(file.path, 'another process removed it from the collection just now; run it again', startedMs)

/**
 * The record gets the path, and the points too if the path that they show is gone.
 *
 * @returns `undefined` if another process has removed the record
 */
const addPath = async (
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
