import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Encoder } from '../encoder/encoder.ts'
import { parseModelId } from '../models/precision.ts'
import { folders } from '../settings.ts'
import { dot } from '../store/point.ts'
import { quantised, type VideoProfile } from '../store/profile.ts'
import type { CallOptions, Store } from '../store/store.ts'
import type { Catalogue } from './catalogue.ts'

/** Points held at once: 1.5 MB of vectors at 384 dimensions. */
const pointsAtOnce = 1000

/** Gives videos what a search has to know of them beforehand. */
export type Profiles = {
  /** After a video's points and its record were written. A record without it tells the next run to make up for it. */
  add(video: string): Promise<void>
  /** Makes up for what is missing: in collections of earlier versions, and after a run that was broken off. */
  addMissing(): Promise<void>
}

export const openProfiles = (
  store: Store,
  { update }: Pick<Catalogue, 'update'>,
  encoder: Encoder,
  { signal }: CallOptions,
): Profiles => {
  let captions: Promise<readonly Float32Array[]> | undefined
  const add: Profiles['add'] = async (video) => {
    captions ??= captionVectors(encoder, { signal })
    const before = await store.record(video, { signal })
    const profile = before && (await profileOf(store, video, await captions, { signal }))
    if (profile) await update(video, (now) => (now?.indexedAt === before.indexedAt ? { ...now, profile } : undefined))
  }
  return {
    add,
    addMissing: async () => {
      for (const { video, status, profile } of await store.records({ signal })) {
        if (status !== 'failed' && profile === undefined) await add(video)
      }
    },
  }
}

/**
 * Unit vectors of the 256 plain captions, [256][dimension]. They are the same in every run, and a large model takes
 * seconds for them: so they are kept, beside the model where it comes with them, else in the cache folder.
 */
export const captionVectors = async (encoder: Encoder, { signal }: CallOptions): Promise<readonly Float32Array[]> => {
  const { dimension, text } = encoder.model
  const { id } = parseModelId(encoder.model.id)
  // The same place as seen from src/ and from dist/.
  const captions = await readFile(new URL('../../models/captions.txt', import.meta.url), 'utf8')
  const name = `captions-${createHash('sha256').update(captions).digest('hex').slice(0, 12)}.f32`
  const texts = captions.trim().split('\n')
  const cached = join(folders().cache, 'captions', id.replace(/[^\w.-]+/g, '_'), name)
  for (const file of [join(dirname(text.file), name), cached]) {
    const bytes = await readFile(file).catch(() => undefined)
    if (bytes?.length === texts.length * dimension * 4) return rowsOf(bytes, dimension)
  }
  const vectors = await encoder.encodeTexts(texts, { signal })
  await keep(
    cached,
    Buffer.concat(vectors.map((vector) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength))),
  )
  return vectors
}

/** Numbers as the processor has them: little-endian on every system that the runtime is made for. */
const rowsOf = (bytes: Buffer, dimension: number): readonly Float32Array[] => {
  const numbers = new Float32Array(Uint8Array.from(bytes).buffer)
  return Array.from({ length: numbers.length / dimension }, (_, i) => numbers.slice(i * dimension, (i + 1) * dimension))
}

/** A cache that cannot be written to costs only time. */
const keep = async (file: string, bytes: Uint8Array): Promise<void> => {
  const unfinished = `${file}.${process.pid}`
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(unfinished, bytes)
    await rename(unfinished, file)
  } catch {}
}

/**
 * @param captions unit vectors, [captions][dimension]
 * @returns `undefined` for a video without points
 */
export const profileOf = async (
  store: Pick<Store, 'pointIds' | 'points'>,
  video: string,
  captions: readonly Float32Array[],
  options: CallOptions,
): Promise<VideoProfile | undefined> => {
  const ids = [...(await store.pointIds(video, options))]
  const best = new Float32Array(captions.length).fill(-1)
  const sum = new Float64Array(captions[0]!.length)
  let count = 0
  for (let at = 0; at < ids.length; at += pointsAtOnce) {
    const points = await store.points(ids.slice(at, at + pointsAtOnce), options)
    for (const { vector } of points.values()) {
      for (const [i, caption] of captions.entries()) best[i] = Math.max(best[i]!, dot(caption, vector))
      for (const [i, x] of vector.entries()) sum[i]! += x
      count++
    }
  }
  if (count === 0) return undefined
  return { captions: quantised(best), mean: quantised(Float32Array.from(sum, (x) => x / count)) }
}
