import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import cacache from 'cacache'
import PQueue from 'p-queue'
import sharp from 'sharp'
import { folders, frame } from '../index.ts'
import { widths } from './schemas.ts'

/** Pictures of frames as JPEG, made once. */
export type Thumbnails = {
  /**
   * @param video fingerprint of the content, which is what the picture is kept by
   * @param path where the content lies now
   * @param width in pixels; rounded up to one of {@link widths}
   * @throws VidgrepError if the file is gone or damaged there
   */
  jpeg(video: string, path: string, timestampSeconds: number, width: number, signal: AbortSignal): Promise<Buffer>
}

/** Entries are written one after another; when they may have outgrown this, the oldest go. */
const mostCacheBytes = 512 * 2 ** 20
const writesBetweenChecks = 500

/** Version of how a picture is made: part of its key. */
const recipe = 1

const quality = 82

export const openThumbnails = (folder = join(folders().cache, 'thumbnails')): Thumbnails => {
  const queue = new PQueue({ concurrency: availableParallelism() })
  const making = new Map<string, Promise<Buffer>>()
  let writes = 0

  const make = async (path: string, timestampSeconds: number, width: number, signal: AbortSignal): Promise<Buffer> => {
    signal.throwIfAborted()
    const picture = await frame(path, timestampSeconds, { width, signal })
    const raw = { width: picture.width, height: picture.height, channels: 3 } as const
    return sharp(picture.data, { raw }).jpeg({ quality, mozjpeg: true }).toBuffer()
  }

  const keep = async (key: string, jpeg: Buffer): Promise<void> => {
    await cacache.put(folder, key, jpeg)
    writes += 1
    if (writes % writesBetweenChecks === 0) await trim(folder)
  }

  return {
    jpeg: async (video, path, timestampSeconds, width, signal) => {
      const size = widths.find((each) => each >= width) ?? widths.at(-1)!
      const key = `${video}/${Math.round(timestampSeconds * 1000)}/${size}/${recipe}`
      const kept = await cacache.get(folder, key).catch(() => undefined)
      if (kept) return kept.data
      const running = making.get(key)
      if (running) return running
      const made = queue.add(() => make(path, timestampSeconds, size, signal))
      making.set(key, made)
      try {
        const jpeg = await made
        // A full or read-only disk costs only the cache.
        await keep(key, jpeg).catch(() => {})
        return jpeg
      } finally {
        making.delete(key)
      }
    },
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
