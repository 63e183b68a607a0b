import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError, VidgrepError } from '../errors.ts'
import { type Kind, makeFolder, replaceFile } from '../files/write.ts'
import { type CutOptions, containerOf, cut, type MadeClip } from '../video/clip.ts'
import { probe } from '../video/probe.ts'
import type { ShownMoment } from './box.ts'
import type { MissingMoment } from './clips.ts'
import { pictureName } from './pictures.ts'

export type ClipOptions = CutOptions & {
  /** Replace a video that is there. @default false */
  readonly force?: boolean
}

export type WrittenClip = MadeClip & { readonly file: string }

/**
 * Writes a stretch of a video into a file of its own; see {@link cut}.
 *
 * @throws UsageError if there is a file already, or the video itself would be overwritten
 * @throws OutputError for a place that cannot be written to; what {@link cut} throws
 */
export const writeClip = async (path: string, { file, force, ...options }: ClipOptions): Promise<WrittenClip> => {
  containerOf(file)
  await checkFree(path, file, force)
  let made: MadeClip
  await replaceFile(file, videoKind, async (unfinished) => {
    made = await cut(path, { ...options, file: unfinished })
  })
  return { ...made!, file }
}

const checkFree = async (path: string, file: string, force = false): Promise<void> => {
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile() || found.size === 0) return
  const source = await stat(path).catch(() => undefined)
  if (source?.ino === found.ino && source.dev === found.dev) {
    throw new UsageError(`Expected another file than the video itself, got ${file}`, { remedy: 'Choose another name' })
  }
  if (!force) {
    throw new UsageError(`${file} exists: it is not overwritten`, { remedy: 'Choose another name, or add --force' })
  }
}

const videoKind: Kind = {
  name: 'a video',
  includes: (file) =>
    probe(file).then(
      () => true,
      () => false,
    ),
}

export type ClipsOptions = Pick<ClipOptions, 'mode' | 'force' | 'signal'> & {
  /** Folder; it is made. */
  readonly clips: string
  /** Seconds before and after each moment. @default 1 */
  readonly marginSeconds?: number
}

export type WrittenClips = {
  readonly clips: readonly WrittenClip[]
  /** Videos that are gone, damaged or shorter than they were: there is no clip of these moments. */
  readonly missing: readonly MissingMoment[]
}

const defaultMarginSeconds = 1

/** Seconds on each side of a moment that is a single sampled frame, at least. */
const leastMarginSeconds = 0.5

/**
 * Writes each moment into an MP4 of its own, called as its picture is.
 *
 * @throws UsageError if one of the files is there already
 * @throws OutputError where nothing can be written
 */
export const writeClips = async (
  { moments }: { readonly moments: readonly ShownMoment[] },
  { clips: folder, marginSeconds: margin = defaultMarginSeconds, force, ...options }: ClipsOptions,
): Promise<WrittenClips> => {
  if (!(Number.isFinite(margin) && margin >= 0)) {
    throw new UsageError(`Expected a margin of 0 seconds or more, got ${margin}`, { remedy: 'Use, for example, 2' })
  }
  await makeFolder(folder)
  const planned = moments.map((moment) => ({ moment, file: join(folder, pictureName(moment, '.mp4')) }))
  for (const { moment, file } of planned) await checkFree(moment.path, file, force)
  const clips: WrittenClip[] = []
  const missing: MissingMoment[] = []
  for (const { moment, file } of planned) {
    const { path, from, to } = moment
    const around = to > from ? margin : Math.max(margin, leastMarginSeconds)
    const stretch = { fromSeconds: Math.max(0, from - around), toSeconds: to + around }
    try {
      clips.push(await writeClip(path, { ...options, ...stretch, file, force }))
    } catch (error) {
      // A missing ffmpeg or a full disk is no fault of the video.
      if (!(error instanceof VidgrepError) || ['ffmpeg', 'output'].includes(error.code)) throw error
      missing.push({ moment, reason: error.message })
    }
  }
  return { clips, missing }
}
