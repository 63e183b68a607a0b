import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import sharp from 'sharp'
import { UsageError, VidgrepError } from '../errors.ts'
import { frame } from '../video/still.ts'
import { fromPicture, jpegOptions } from './box.ts'
import { contactSheet, drawMoment, pictureName, type SheetEntry, type ShownMoment } from './pictures.ts'

/** Nothing could be written there: no permission, no space, or another fault of the disk. */
export class OutputError extends VidgrepError {
  constructor(message: string, details: { remedy: string; cause?: unknown }) {
    super('output', message, details)
  }
}

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
  /** File for one JPEG of all moments. */
  readonly sheet?: string
}

/**
 * Makes sure that pictures can be written to these places, so that nothing is decoded in vain.
 *
 * @throws UsageError for an ending that is no picture's, a folder that does not exist, or a file of another kind
 * @throws OutputError for a place that cannot be written to
 */
export const checkOutputs = async ({ frame, pictures, sheet }: Outputs): Promise<void> => {
  if (frame !== undefined) await checkFile(frame, formatOf(frame, endings))
  if (sheet !== undefined) await checkFile(sheet, formatOf(sheet, jpegEndings))
  if (pictures !== undefined) await makeFolder(pictures)
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
  await checkFile(file, format)
  const picture = await frame(video, timestampSeconds, options)
  const data = await fromPicture(picture)
    [format](format === 'jpeg' ? jpegOptions : {})
    .toBuffer()
  await writePicture(file, data, format)
}

export type WrittenPictures = {
  /** Moments whose picture was written. */
  readonly written: number
  /** Videos that are gone or damaged: there is no picture of these moments. */
  readonly missing: readonly { readonly moment: ShownMoment; readonly reason: string }[]
}

/**
 * Writes a picture of each moment into a folder, all of them on one contact sheet, or both.
 *
 * @throws UsageError, OutputError as {@link checkOutputs}
 */
export const writePictures = async (
  { query, moments }: { readonly query: string; readonly moments: readonly ShownMoment[] },
  { pictures, sheet, signal }: Pick<Outputs, 'pictures' | 'sheet'> & { readonly signal?: AbortSignal },
): Promise<WrittenPictures> => {
  await checkOutputs({ pictures, sheet })
  const entries: (SheetEntry & { readonly moment: ShownMoment })[] = []
  const missing: { moment: ShownMoment; reason: string }[] = []
  for (const moment of moments) {
    try {
      entries.push({ moment, picture: await frame(moment.path, moment.t, { signal }) })
    } catch (error) {
      // A missing ffmpeg or a wrong call is no fault of the video.
      if (!(error instanceof VidgrepError) || ['ffmpeg', 'usage'].includes(error.code)) throw error
      missing.push({ moment, reason: error.message })
    }
  }
  if (pictures !== undefined) {
    for (const { moment, picture } of entries) {
      await writePicture(join(pictures, pictureName(moment)), await drawMoment(picture, moment), 'jpeg')
    }
  }
  if (sheet !== undefined) await writePicture(sheet, await contactSheet(query, entries), 'jpeg')
  return { written: entries.length, missing }
}

const formatOf = (file: string, allowed: typeof endings): Format => {
  const format = allowed[extname(file).toLowerCase()]
  if (format) return format
  const list = Object.keys(allowed).join(', ')
  throw new UsageError(`Expected a picture to write, ending in ${list}, got ${file}`, {
    remedy: `Name it, for example, ${file.slice(0, file.length - extname(file).length) || 'picture'}.jpg`,
  })
}

const makeFolder = async (folder: string): Promise<void> => {
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK)
  } catch (cause) {
    throw cannotWrite(folder, cause)
  }
}

/** What stands there already may be replaced by its like, and by nothing else. */
const checkFile = async (file: string, format: Format): Promise<void> => {
  try {
    await access(dirname(file), constants.W_OK)
    const found = await stat(file)
    if (found.isDirectory()) {
      throw new UsageError(`Expected a file to write, got a folder: ${file}`, { remedy: 'Name a file in it' })
    }
    if (found.isFile() && (found.size === 0 || (await isPicture(file, format)))) return
  } catch (cause) {
    if (isMissing(cause) && (await isFolder(dirname(file)))) return
    throw cause instanceof VidgrepError ? cause : cannotWrite(file, cause)
  }
  throw new UsageError(`${file} exists and is not a ${format.toUpperCase()} picture: it is not overwritten`, {
    remedy: 'Choose another name, or remove the file first',
  })
}

const isPicture = async (file: string, format: Format): Promise<boolean> => {
  // What sharp cannot read is no picture.
  const found = await sharp(file)
    .metadata()
    .catch(() => undefined)
  return found?.format === (format === 'avif' ? 'heif' : format)
}

/** Beside its place and then renamed: nobody sees half a picture, and a full disk spoils none that was there. */
const writePicture = async (file: string, data: Uint8Array, format: Format): Promise<void> => {
  await checkFile(file, format)
  const target = await realpath(file).catch(() => file)
  const unfinished = join(dirname(target), `.vidgrep-${randomUUID()}`)
  try {
    await writeFile(unfinished, data, { flag: 'wx' })
    await rename(unfinished, target)
  } catch (cause) {
    await rm(unfinished, { force: true }).catch(() => {})
    throw cannotWrite(file, cause)
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** What the system said, in words; what it did not say is a bug. */
const cannotWrite = (path: string, cause: unknown): unknown => {
  const { code } = cause as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT':
      return new UsageError(`There is no folder ${dirname(path)} to write ${path} in`, {
        remedy: `Make it: mkdir -p "${dirname(path)}"`,
        cause,
      })
    case 'ENOTDIR':
    case 'EEXIST':
      return new UsageError(`Cannot write ${path}: part of the path is a file, not a folder`, {
        remedy: 'Choose another place',
        cause,
      })
    case 'ENAMETOOLONG':
      return new UsageError(`Cannot write ${path}: the name is too long`, { remedy: 'Choose a shorter name', cause })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new OutputError(
        `Cannot write ${path}: ${code === 'EROFS' ? 'read-only file system' : 'permission denied'}`,
        {
          remedy: `Choose a folder that you may write to, or check its permissions: ls -ld "${dirname(path)}"`,
          cause,
        },
      )
    case 'ENOSPC':
    case 'EDQUOT':
      return new OutputError(`Cannot write ${path}: no space left on the disk`, {
        remedy: 'Make room, or choose a folder on another disk',
        cause,
      })
    default:
      return code === undefined
        ? cause
        : new OutputError(`Cannot write ${path}: ${code}`, { remedy: 'Choose another place', cause })
  }
}
