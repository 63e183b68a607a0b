import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { isSystemError } from '../files/regular.ts'
import { folders } from '../settings.ts'
import type { Frame, VideoInfo, View } from '../video/video.ts'
import type { SamplingSettings } from './sampling.ts'

/*
 * A still of every sampled frame, kept while the frame is at hand for the encoder: to make one later takes an ffmpeg and
 * half a second. One file a video in the cache folder, by fingerprint: the JPEGs one after the other, an index as JSON,
 * and the index's length in four bytes. Whatever goes wrong here costs stills and nothing else.
 */

/**
 * Most pixels across that a still is good for, and most that one has as the view shows it: larger views are made smaller,
 * which costs more than the JPEG itself. At this quality a still has about 7 kB: 25 MB an hour at a frame a second.
 */
const stillWidth = 320
const mostPixels = 130_000
const quality = 60

/** Room for about 600 hours at a frame a second. When it is used up, the stills of the videos indexed longest ago go. */
const mostBytes = 16 * 2 ** 30

/** Until then, what has no end yet may belong to a run that goes on. */
const leftoverMs = 3600_000

/** Indexes that are kept in memory: 0.2 MB an hour of video. */
const mostIndexes = 100

/** The stills of one video, in the making. Neither function fails. */
export type Stills = {
  /** Takes what it needs out of the frame before it returns. */
  add(frame: Frame): Promise<void>
  /** Puts what was added in its place. @param isComplete whether these are all frames */
  close(isComplete: boolean): Promise<void>
}

export type StillsOptions = Pick<SamplingSettings, 'everySeconds' | 'decode'> & {
  readonly info: VideoInfo
  /** The views of each frame: the first one that shows all of it is taken. */
  readonly views: readonly View[]
  /** Make them anew even where those of the same frames are there. */
  readonly force: boolean
}

/** When, in milliseconds; the JPEG's first byte, and the first one after it. Frames that look the same share a JPEG. */
type Entry = readonly [ms: number, from: number, to: number]

type StillsIndex = {
  /** What was sampled and how it was seen; empty if frames are missing. */
  readonly made: string
  readonly entries: readonly Entry[]
}

export const keepStills = (video: string, { info, views, everySeconds, decode, force }: StillsOptions): Stills => {
  const chosen = views.findIndex(({ crop }) => !crop)
  const view = views[chosen]!
  const made = `every=${everySeconds} decode=${decode} view=${view.width}x${view.height}`
  const pixels = Buffer.alloc(view.width * view.height * 3)
  const toJpeg = jpegOf(pixels, view, info)
  const entries: Entry[] = []
  let writing: { readonly file: FileHandle; readonly path: string } | undefined
  let end = 0

  const write = async (bytes: Buffer): Promise<void> => {
    await writing!.file.writeFile(bytes)
    end += bytes.length
  }
  const begin = async (): Promise<void> => {
    if (!force && (await indexAt(fileOf(video)))?.made === made) return
    await mkdir(folder(), { recursive: true })
    const path = `${fileOf(video)}-${randomUUID()}${unfinished}`
    writing = { file: await open(path, 'wx'), path }
  }
  const finish = async (isComplete: boolean): Promise<void> => {
    if (!writing) return
    const { file, path } = writing
    const index: StillsIndex = { made: isComplete ? made : '', entries }
    const json = Buffer.from(JSON.stringify(index))
    const length = Buffer.alloc(lengthBytes)
    length.writeUInt32LE(json.length)
    await write(Buffer.concat([json, length]))
    await file.close()
    await rename(path, fileOf(video))
  }
  const giveUp = async (): Promise<void> => {
    const left = writing
    writing = undefined
    await left?.file.close().catch(() => {})
    if (left) await rm(left.path, { force: true }).catch(() => {})
  }
  let turn = begin().catch(giveUp)

  const keep = async ({ timestampSeconds, views }: Frame): Promise<void> => {
    const { data } = views[chosen]!
    const ms = Math.round(timestampSeconds * 1000)
    const last = entries.at(-1)
    // Slides, screens and cameras on a stand show the same for minutes.
    if (last && looksSame(pixels, data, view)) return void entries.push([ms, last[1], last[2]])
    pixels.set(data)
    const from = end
    await write(await toJpeg())
    entries.push([ms, from, end])
  }

  return {
    add: async (frame) => {
      await turn
      if (writing) turn = keep(frame).catch(giveUp)
    },
    close: async (isComplete) => {
      await turn
      if (entries.length > 0) await finish(isComplete).catch(() => {})
      await giveUp()
    },
  }
}

/** As the frame is displayed, which a view that is squashed into a square is not; never larger than the view. */
const jpegOf = (pixels: Buffer, view: View, info: VideoInfo): (() => Promise<Buffer>) => {
  const ratio = info.width / info.height
  const isSmall = view.width * view.height <= mostPixels
  const most = isSmall ? view.width : stillWidth
  const height = Math.max(1, Math.round(Math.min(view.height, most / ratio)))
  const width = Math.max(1, Math.round(height * ratio))
  const isAsItIs = isSmall && Math.abs(width - view.width) <= 2 && Math.abs(height - view.height) <= 2
  const raw = { width: view.width, height: view.height, channels: 3 } as const
  return async () => {
    // Not before there is a frame: a run that has nothing to do starts at once.
    const { default: sharp } = await import('sharp')
    const picture = sharp(pixels, { raw })
    return (isAsItIs ? picture : picture.resize(width, height, { fit: 'fill' })).jpeg({ quality }).toBuffer()
  }
}

/** Edge of the blocks that are compared, in pixels, and levels (0–255) by which noise may change the mean of one. */
const blockEdge = 16
const noiseLevels = 4

/** Whether the eye would take one for the other: no block has changed, by every second green of every second row. */
const looksSame = (a: Uint8Array, b: Uint8Array, { width, height }: View): boolean => {
  for (let top = 0; top < height; top += blockEdge) {
    for (let left = 0; left < width; left += blockEdge) {
      let [changed, count] = [0, 0]
      for (let y = top; y < Math.min(height, top + blockEdge); y += 2) {
        for (let x = left; x < Math.min(width, left + blockEdge); x += 2) {
          const at = (y * width + x) * 3 + 1
          changed += Math.abs(a[at]! - b[at]!)
          count += 1
        }
      }
      if (changed > noiseLevels * count) return false
    }
  }
  return true
}

export type StillOptions = {
  /** Pixels across that are wanted. @default the least */
  readonly width?: number
  /** How far off a frame may be that is taken instead, in seconds. @default only what rounding does */
  readonly withinSeconds?: number
}

/**
 * The still of a frame as JPEG; `undefined` where none is kept, or only a smaller one than is wanted.
 * @param timestampSeconds of the frame, which is rounded to milliseconds
 */
export const keptStill = async (
  video: string,
  timestampSeconds: number,
  { width = 1, withinSeconds = 0.001 }: StillOptions = {},
): Promise<Buffer | undefined> => {
  if (width > stillWidth) return undefined
  const away = ([ms]: Entry): number => Math.abs(ms - timestampSeconds * 1000)
  return withStills(fileOf(video), async (file, { entries }) => {
    const nearest = entries.reduce((best, entry) => (away(entry) < away(best) ? entry : best))
    return away(nearest) <= withinSeconds * 1000 ? readAt(file, nearest[1], nearest[2]) : undefined
  })
}

/** Called for a video that leaves the collection. */
export const removeStills = async (video: string): Promise<void> => {
  await rm(fileOf(video), { force: true }).catch(unlessOurs)
}

/** Removes what killed runs left behind, and the oldest stills where they have outgrown their room. */
export const tidyStills = async (bytes = mostBytes): Promise<void> => {
  const names = await readdir(folder()).catch(unlessOurs)
  const files: { path: string; bytes: number; ageMs: number }[] = []
  for (const name of names ?? []) {
    const path = join(folder(), name)
    const found = await stat(path).catch(unlessOurs)
    if (found) files.push({ path, bytes: found.size, ageMs: Date.now() - found.mtimeMs })
  }
  let left = bytes
  for (const { path, bytes, ageMs } of files.sort((a, b) => a.ageMs - b.ageMs)) {
    left -= bytes
    if (left < 0 || (path.endsWith(unfinished) && ageMs > leftoverMs)) await rm(path, { force: true }).catch(unlessOurs)
  }
}

const folder = (): string => join(folders().cache, 'stills')
const fileOf = (video: string): string => join(folder(), video)
const unfinished = '.part'
const lengthBytes = 4

/** By file, as it is now: while one is read, another run may put a new one in its place. */
const indexes = new LRUCache<string, StillsIndex>({ max: mostIndexes })

const withStills = async <T>(
  path: string,
  use: (file: FileHandle, index: StillsIndex) => T | Promise<T>,
): Promise<T | undefined> => {
  const file = await open(path).catch(unlessOurs)
  if (!file) return undefined
  try {
    const { ino, size, mtimeMs } = await file.stat()
    const key = `${path} ${ino} ${size} ${mtimeMs}`
    const index = indexes.get(key) ?? (await readIndex(file, size))
    indexes.set(key, index)
    return await use(file, index)
  } catch (error) {
    // A disk that fails, or that was not written to the end when the power went.
    return error instanceof RangeError || error instanceof SyntaxError ? undefined : unlessOurs(error)
  } finally {
    await file.close()
  }
}

const indexAt = (path: string): Promise<StillsIndex | undefined> => withStills(path, (_, index) => index)

const readIndex = async (file: FileHandle, size: number): Promise<StillsIndex> => {
  const length = (await readAt(file, size - lengthBytes, size)).readUInt32LE()
  return JSON.parse((await readAt(file, size - lengthBytes - length, size - lengthBytes)).toString())
}

/** @throws RangeError if the file does not hold these bytes */
const readAt = async (file: FileHandle, from: number, to: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(Math.max(0, to - from))
  // Node.js itself ends at a place before the beginning.
  const { bytesRead } = from < 0 ? { bytesRead: -1 } : await file.read(bytes, 0, bytes.length, from)
  if (bytesRead < bytes.length) throw new RangeError(`Expected ${bytes.length} bytes at ${from}`)
  return bytes
}

const unlessOurs = (error: unknown): undefined => {
  if (!isSystemError(error)) throw error
}
