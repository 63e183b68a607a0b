import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import cacache from 'cacache'
import { LRUCache } from 'lru-cache'
import PQueue from 'p-queue'
import sharp from 'sharp'
import { VidgrepError } from '../errors.ts'
import { folders, frame, keptStill, probe, type VideoInfo, type VideoRecord } from '../index.ts'
import { presentPath } from './collections.ts'
import { widths } from './schemas/videos.ts'

/** Pictures as JPEG in a cache on the disk: those of frames, made once, and those that users search by. */
export type Pictures = {
  /**
   * One that was kept while indexing, where it is wide enough, else one that is made of the file.
   * @throws VidgrepError if one has to be made, and the file is gone or damaged
   */
  frame(wanted: WantedPicture, signal: AbortSignal): Promise<Buffer>
  /**
   * Keeps a picture to search by.
   * @returns its id, which is that of its content
   * @throws VidgrepError if it is no picture
   */
  keep(picture: Uint8Array): Promise<string>
  /** A kept picture. @throws VidgrepError if it is not there any more */
  kept(id: string): Promise<Buffer>
}

export type WantedPicture = {
  readonly record: VideoRecord
  readonly timestampSeconds: number
  /** In pixels; rounded up to one of {@link widths}. */
  readonly width: number
  /** How far off a kept picture may be that is shown instead, in seconds. */
  readonly withinSeconds?: number
}

/** Entries are written one after another; when they may have outgrown this, the oldest go. */
const mostCacheBytes = 512 * 2 ** 20
const writesBetweenChecks = 500

/** Files whose description is kept, so that ffprobe is not started for each of their pictures. */
const mostInfos = 500

/** Version of how a picture is made: part of its key. */
const recipe = 1

const jpegOptions = { quality: 82 } as const

/** Longest side of a picture to search by, in pixels: more than any model sees. Larger ones are no pictures but attacks. */
const mostSide = 1024
const mostPixels = 100e6

export const openPictures = (folder = join(folders().cache, 'thumbnails')): Pictures => {
  const queue = new PQueue({ concurrency: availableParallelism() })
  const making = new Map<string, Making>()
  const infos = new LRUCache<string, VideoInfo>({ max: mostInfos })
  let writes = 0

  const infoOf = async (path: string, signal: AbortSignal): Promise<VideoInfo> => {
    // What is wrong with a file that is not there is said where it is opened.
    const { mtimeMs, size } = await stat(path).catch(() => ({ mtimeMs: 0, size: 0 }))
    const version = `${path} ${mtimeMs} ${size}`
    const info = infos.get(version) ?? (await probe(path, { signal }))
    infos.set(version, info)
    return info
  }

  const make = async (path: string, timestampSeconds: number, width: number, signal: AbortSignal): Promise<Buffer> => {
    signal.throwIfAborted()
    const info = await infoOf(path, signal)
    const picture = await frame(path, timestampSeconds, { width, info, signal })
    const raw = { width: picture.width, height: picture.height, channels: 3 } as const
    return sharp(picture.data, { raw }).jpeg(jpegOptions).toBuffer()
  }

  const put = async (key: string, jpeg: Buffer): Promise<void> => {
    await cacache.put(folder, key, jpeg)
    writes += 1
    if (writes % writesBetweenChecks === 0) await trim(folder)
  }

  const begin = (key: string, make: (left: AbortSignal) => Promise<Buffer>): Making => {
    const left = new AbortController()
    const made = queue
      .add(async () => {
        const jpeg = await make(left.signal)
        // A full or read-only disk costs only the cache.
        await put(key, jpeg).catch(() => {})
        return jpeg
      })
      .finally(() => {
        if (making.get(key) === begun) making.delete(key)
      })
    const begun: Making = {
      made,
      waiting: 0,
      end: (reason) => {
        // Who asks from now on does not get what was broken off.
        making.delete(key)
        left.abort(reason)
      },
    }
    making.set(key, begun)
    return begun
  }

  const get = (key: string) => cacache.get(folder, key).catch(() => undefined)

  return {
    frame: async ({ record, timestampSeconds, width, withinSeconds }, signal) => {
      const size = widths.find((each) => each >= width) ?? widths.at(-1)!
      const still = await keptStill(record.video, timestampSeconds, { width: size, withinSeconds })
      if (still) return still
      const path = await presentPath(record)
      const key = `${record.video}/${Math.round(timestampSeconds * 1000)}/${size}/${recipe}`
      const kept = await get(key)
      if (kept) return kept.data
      const running = making.get(key) ?? begin(key, (left) => make(path, timestampSeconds, size, left))
      return waitFor(running, signal)
    },
    keep: async (picture) => {
      const jpeg = await queue.add(() => readable(picture))
      const id = createHash('sha256').update(jpeg).digest('hex').slice(0, 32)
      await put(uploadKey(id), jpeg)
      return id
    },
    kept: async (id) => {
      const found = await get(uploadKey(id))
      if (found) return found.data
      throw new VidgrepError('picture-gone', `There is no picture ${id} any more`, { remedy: 'Choose it again' })
    },
  }
}

/** A picture that is being made, for as many as want it. */
type Making = { readonly made: Promise<Buffer>; waiting: number; end(reason: unknown): void }

/** What one client breaks off is gone on with for the others, and ended with the last of them. */
const waitFor = async (making: Making, signal: AbortSignal): Promise<Buffer> => {
  signal.throwIfAborted()
  making.waiting += 1
  let leave = () => {}
  const leaving = new Promise<never>((_, reject) => {
    leave = () => {
      making.waiting -= 1
      if (making.waiting === 0) making.end(signal.reason)
      reject(signal.reason)
    }
  })
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([making.made, leaving])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

const uploadKey = (id: string): string => `search/${id}`

const readable = async (picture: Uint8Array): Promise<Buffer> => {
  try {
    return await sharp(picture, { limitInputPixels: mostPixels })
      .rotate()
      .resize(mostSide, mostSide, { fit: 'inside', withoutEnlargement: true })
      .flatten({ background: '#ffffff' })
      .jpeg(jpegOptions)
      .toBuffer()
  } catch (cause) {
    throw new VidgrepError('not-a-picture', 'Expected a picture, got something else or a damaged one', {
      remedy: 'Use a JPEG, PNG, WebP, AVIF, GIF or TIFF file',
      cause,
    })
  }
}

/** The oldest entries go until half of the room is free. */
const trim = async (folder: string): Promise<void> => {
  const entries = Object.values(await cacache.ls(folder)).sort((a, b) => a.time - b.time)
  let bytes = entries.reduce((sum, { size }) => sum + size, 0)
  if (bytes <= mostCacheBytes) return
  for (const { key, integrity, size } of entries) {
    if (bytes <= mostCacheBytes / 2) break
    await cacache.rm.entry(folder, key)
    await cacache.rm.content(folder, integrity)
    bytes -= size
  }
}

/** Changes when the picture does: content, time and size say it all, be it kept or made. */
export const entityTag = ({ record, timestampSeconds, width, withinSeconds }: WantedPicture): string => {
  const said = [record.video, timestampSeconds, width, withinSeconds, recipe].join('/')
  return `"${createHash('sha256').update(said).digest('base64url').slice(0, 22)}"`
}
