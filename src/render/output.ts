import { open, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import sharp from 'sharp'
import { UsageError, VidgrepError } from '../errors.ts'
import { checkFile, type Kind, makeFolder, replaceFile } from '../files/write.ts'
import { frame } from '../video/still.ts'
import type { Picture } from '../video/video.ts'
import { fromPicture, jpegOptions } from './box.ts'
import { clipsOf, type MissingMoment } from './clips.ts'
import { exportClips, exportFormatOf, exportMarks } from './exports.ts'
import type { MapEntry } from './map.ts'
import { contactSheet, drawMoment, pictureName, type SheetOptions, type ShownMoment } from './pictures.ts'
import type { PlottedCurve } from './plot.ts'

type Format = 'jpeg' | 'png' | 'webp' | 'avif' | 'tiff' | 'gif'

const jpegEndings: Readonly<Record<string, Format>> = { '.jpg': 'jpeg', '.jpeg': 'jpeg' }

const endings: Readonly<Record<string, Format>> = {
  ...jpegEndings,
  ...{ '.png': 'png', '.webp': 'webp', '.avif': 'avif', '.tif': 'tiff', '.tiff': 'tiff', '.gif': 'gif' },
}

export type Outputs = {
  /** File for the picture of one frame. */
  readonly frame?: string
  /** Folder for a picture of each moment; it is made. */
  readonly pictures?: string
  /** Folder for a clip of each moment; it is made. */
  readonly clips?: string
  /** File for one JPEG of all moments. */
  readonly sheet?: string
  /** File for the plot of a curve: .svg or .png. */
  readonly curve?: string
  /** File for the moments as an editing program reads them. */
  readonly export?: string
}

/**
 * Makes sure that these places can be written to, so that nothing is decoded in vain.
 *
 * @throws UsageError for an ending of an unknown format, a folder that does not exist, or a file of another kind
 * @throws OutputError for a place that cannot be written to
 */
export const checkOutputs = async ({
  frame,
  pictures,
  clips,
  sheet,
  curve,
  export: exported,
}: Outputs): Promise<void> => {
  if (frame !== undefined) await checkFile(frame, pictureKind(formatOf(frame, endings)))
  if (sheet !== undefined) await checkFile(sheet, pictureKind(formatOf(sheet, jpegEndings)))
  if (curve !== undefined) await checkFile(curve, curveKind(curve))
  if (exported !== undefined) await checkFile(exported, exportKind(exported))
  if (pictures !== undefined) await makeFolder(pictures)
  if (clips !== undefined) await makeFolder(clips)
}

/**
 * Writes the picture that a video shows at a time in seconds; the ending of `file` says in which format.
 *
 * @throws UsageError, OutputError as {@link checkOutputs}; what {@link frame} throws
 */
export const writeFrame = async (
  file: string,
  video: string,
  timestampSeconds: number,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> => {
  const format = formatOf(file, endings)
  const kind = pictureKind(format)
  await checkFile(file, kind)
  const picture = await frame(video, timestampSeconds, options)
  const data = await fromPicture(picture)
    [format](format === 'jpeg' ? jpegOptions : {})
    .toBuffer()
  await writeWhole(file, data, kind)
}

type WriteOptions = { readonly signal?: AbortSignal }

export type WrittenPictures = {
  /** Moments whose picture was written. */
  readonly written: number
  /** Videos that are gone or damaged: there is no picture of these moments. */
  readonly missing: readonly MissingMoment[]
}

/** A frame, and where it lies on a map. */
type PlacedFrame = Pick<MapEntry, 'x' | 'y'> & Pick<ShownMoment, 'path' | 't'>

/**
 * Draws frames where they lie on a map; the ending of `file` says in which format.
 *
 * @throws UsageError, OutputError as {@link checkOutputs}
 */
export const writeMap = async (
  file: string,
  { points, videos }: { readonly points: readonly PlacedFrame[]; readonly videos: number },
  options: WriteOptions = {},
): Promise<{ readonly written: number; readonly missing: readonly MissingFrame<PlacedFrame>[] }> => {
  const format = formatOf(file, endings)
  await checkFile(file, pictureKind(format))
  const { drawMap } = await import('./map.ts')
  const { entries, missing } = await picturesOf(points, options)
  if (entries.length > 0) {
    const counted = `${entries.length} ${entries.length === 1 ? 'scene' : 'scenes'} of ${videos} ${videos === 1 ? 'video' : 'videos'}`
    const map = await drawMap(
      counted,
      entries.map(({ moment, picture }) => ({ ...moment, picture })),
    )
    await writeWhole(file, await map[format](format === 'jpeg' ? jpegOptions : {}).toBuffer(), pictureKind(format))
  }
  return { written: entries.length, missing }
}

type MissingFrame<Placed> = { readonly moment: Placed; readonly reason: string }

/** The frame of each place, as far as there is one. */
const picturesOf = async <Placed extends Pick<ShownMoment, 'path' | 't'>>(
  places: readonly Placed[],
  { signal }: WriteOptions,
): Promise<{
  readonly entries: readonly { readonly moment: Placed; readonly picture: Picture }[]
  readonly missing: readonly MissingFrame<Placed>[]
}> => {
  const entries: { moment: Placed; picture: Picture }[] = []
  const missing: MissingFrame<Placed>[] = []
  for (const moment of places) {
    try {
      entries.push({ moment, picture: await frame(moment.path, moment.t, { signal }) })
    } catch (error) {
      // A missing ffmpeg or a wrong call is no fault of the video.
      if (!(error instanceof VidgrepError) || ['ffmpeg', 'usage'].includes(error.code)) throw error
      missing.push({ moment, reason: error.message })
    }
  }
  return { entries, missing }
}

/**
 * Writes a picture of each moment into a folder, all of them on one contact sheet, or both.
 *
 * @throws UsageError, OutputError as {@link checkOutputs}
 */
export const writePictures = async (
  { query, moments }: { readonly query: string; readonly moments: readonly ShownMoment[] },
  { pictures, sheet, signal, of }: Pick<Outputs, 'pictures' | 'sheet'> & WriteOptions & Pick<SheetOptions, 'of'>,
): Promise<WrittenPictures> => {
  await checkOutputs({ pictures, sheet })
  const { entries, missing } = await picturesOf(moments, { signal })
  if (pictures !== undefined) {
    for (const { moment, picture } of entries) {
      await writeWhole(join(pictures, pictureName(moment)), await drawMoment(picture, moment), pictureKind('jpeg'))
    }
  }
  if (sheet !== undefined) await writeWhole(sheet, await contactSheet(query, entries, { of }), pictureKind('jpeg'))
  return { written: entries.length, missing }
}

export type ExportedMoments = {
  /** Moments in the file; where there is none, no file is written. */
  readonly written: number
  /** Videos that are gone or damaged: these moments are left out. */
  readonly missing: readonly MissingMoment[]
}

/**
 * Writes moments as clips for an editing program; the ending of `file` says in which format: .edl, .otio, .fcpxml, .csv.
 *
 * @throws UsageError, OutputError as {@link checkOutputs}
 */
export const exportMoments = async (
  found: { readonly query: string; readonly moments: readonly ShownMoment[] },
  file: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ExportedMoments> => {
  const format = exportFormatOf(file)
  await checkOutputs({ export: file })
  const { clips, missing } = await clipsOf(found, options)
  if (clips.length > 0) {
    await writeWhole(file, Buffer.from(exportClips(format, found.query, clips)), exportKind(file))
  }
  return { written: clips.length, missing }
}

/**
 * Plots a curve; the ending of `file` says as what: .svg or .png.
 *
 * @throws UsageError, OutputError as {@link checkOutputs}
 */
export const writeCurve = async (file: string, curve: PlottedCurve): Promise<void> => {
  const kind = curveKind(file)
  await checkFile(file, kind)
  const { curvePng, curveSvg } = await import('./plot.ts')
  await writeWhole(file, isSvg(file) ? Buffer.from(curveSvg(curve)) : await curvePng(curve), kind)
}

const isSvg = (file: string): boolean => extname(file).toLowerCase() === '.svg'

const curveKind = (file: string): Kind => {
  if (!isSvg(file)) return pictureKind(formatOf(file, { '.svg': 'png', '.png': 'png' }))
  return { name: 'an SVG', includes: async (found) => /<svg\b/.test(await beginningOf(found)) }
}

const formatOf = (file: string, allowed: typeof endings): Format => {
  const format = allowed[extname(file).toLowerCase()]
  if (format) return format
  const list = Object.keys(allowed).join(', ')
  throw new UsageError(`Expected a picture to write, ending in ${list}, got ${file}`, {
    remedy: `Name it, for example, ${file.slice(0, file.length - extname(file).length) || 'picture'}.jpg`,
  })
}

const pictureKind = (format: Format): Kind => ({
  name: `a ${format.toUpperCase()} picture`,
  includes: (file) => isPicture(file, format),
})

const exportKind = (file: string): Kind => {
  const format = exportFormatOf(file)
  return {
    name: format === 'csv' ? 'a CSV of moments' : `of the format ${format.toUpperCase()}`,
    includes: async (found) => exportMarks[format].test(await beginningOf(found)),
  }
}

const beginningOf = async (file: string): Promise<string> => {
  const opened = await open(file)
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(4096), 0, 4096, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await opened.close()
  }
}

const isPicture = async (file: string, format: Format): Promise<boolean> => {
  // What sharp cannot read is no picture.
  const found = await sharp(file)
    .metadata()
    .catch(() => undefined)
  return found?.format === (format === 'avif' ? 'heif' : format)
}

const writeWhole = (file: string, data: Uint8Array, kind: Kind): Promise<void> =>
  replaceFile(file, kind, (unfinished) => writeFile(unfinished, data, { flag: 'wx' }))
