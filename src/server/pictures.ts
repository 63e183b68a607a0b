import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import cacache from 'cacache'
import PQueue from 'p-queue'
import sharp from 'sharp'
import { VidgrepError } from '../errors.ts'
import { folders, frame } from '../index.ts'
import { widths } from './schemas.ts'

/** Pictures as JPEG in a cache on the disk: those of frames, made once, and those that users search by. */
export type Pictures = {
  /**
   * @param video fingerprint of the content, which is what the picture is kept by
   * @param path where the content lies now
   * @param width in pixels; rounded up to one of {@link widths}
   * @throws VidgrepError if the file is gone or damaged there
   */
  frame(video: string, path: string, timestampSeconds: number, width: number, signal: AbortSignal): Promise<Buffer>
  /**
   * Keeps a picture to search by.
   * @returns its id, which is that of its content
   * @throws VidgrepError if it is no picture
   */
  keep(picture: Uint8Array): Promise<string>
  /** A kept picture. @throws VidgrepError if it is not there any more */
  kept(id: string): Promise<Buffer>
}

/** Entries are written one after another; when they may have outgrown this, the oldest go. */
const mostCacheBytes = 512 * 2 ** 20
const writesBetweenChecks = 500

/** Version of how a picture is made: part of its key. */
const recipe = 1

const jpegOptions = { quality: 82, mozjpeg: true } as const

/** Longest side of a picture to search by, in pixels: more than any model sees. Larger ones are no pictures but attacks. */
const mostSide = 1024
const mostPixels = 100e6

export const openPictures = (folder = join(folders().cache, 'thumbnails')): Pictures => {
  const queue = new PQueue({ concurrency: availableParallelism() })
  const making = new Map<string, Promise<Buffer>>()
  let writes = 0

  const make = async (path: string, timestampSeconds: number, width: number, signal: AbortSignal): Promise<Buffer> => {
    signal.throwIfAborted()
    const picture = await frame(path, timestampSeconds, { width, signal })
    const raw = { width: picture.width, height: picture.height, channels: 3 } as const
    return sharp(picture.data, { raw }).jpeg(jpegOptions).toBuffer()
  }

  const put = async (key: string, jpeg: Buffer): Promise<void> => {
    await cacache.put(folder, key, jpeg)
    writes += 1
    if (writes % writesBetweenChecks === 0) await trim(folder)
  }

  const get = (key: string) => cacache.get(folder, key).catch(() => undefined)

  return {
    frame: async (video, path, timestampSeconds, width, signal) => {
      const size = widths.find((each) => each >= width) ?? widths.at(-1)!
      const key = `${video}/${Math.round(timestampSeconds * 1000)}/${size}/${recipe}`
      const kept = await get(key)
      if (kept) return kept.data
      const running = making.get(key)
      if (running) return running
      const made = queue.add(() => make(path, timestampSeconds, size, signal))
      making.set(key, made)
      try {
        const jpeg = await made
        // A full or read-only disk costs only the cache.
        await put(key, jpeg).catch(() => {})
        return jpeg
      } finally {
        making.delete(key)
      }
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

/** Changes when the picture does: content, time and size say it all. */
export const entityTag = (video: string, timestampSeconds: number, width: number): string =>
  `"${createHash('sha256').update(`${video}/${timestampSeconds}/${width}/${recipe}`).digest('base64url').slice(0, 22)}"`
