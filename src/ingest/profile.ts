import { readFile } from 'node:fs/promises'
import type { Encoder } from '../encoder/encoder.ts'
import { quantised, type VideoProfile } from '../store/profile.ts'
import type { CallOptions, Store } from '../store/store.ts'

/** Vectors held at once: 1.5 MB at 384 dimensions. */
const vectorsAtOnce = 1000

/**
 * Gives each video that was indexed and has no profile yet one: made anew after its points changed, and made up for in
 * collections of earlier versions.
 */
export const profileVideos = async (store: Store, encoder: Encoder, { signal }: CallOptions): Promise<void> => {
  const records = await store.records({ signal })
  const missing = records.filter(({ status, profile }) => status !== 'failed' && profile === undefined)
  if (missing.length === 0) return
  const captions = await encoder.encodeTexts(await readCaptions(), { signal })
  for (const { video, indexedAt } of missing) {
    const profile = await profileOf(store, video, captions, { signal })
    if (!profile) continue
    await store.changeRecord(video, (now) => (now?.indexedAt === indexedAt ? { ...now, profile } : undefined), {
      signal,
    })
  }
}

/** 256 plain captions; the same place as seen from src/ and from dist/. */
const readCaptions = async (): Promise<readonly string[]> => {
  const text = await readFile(new URL('../../models/captions.txt', import.meta.url), 'utf8')
  return text.trim().split('\n')
}

/**
 * @param captions unit vectors, [captions][dimension]
 * @returns `undefined` for a video without points
 */
export const profileOf = async (
  store: Pick<Store, 'pointIds' | 'vectors'>,
  video: string,
  captions: readonly Float32Array[],
  options: CallOptions,
): Promise<VideoProfile | undefined> => {
  const ids = [...(await store.pointIds(video, options))]
  const best = new Float32Array(captions.length).fill(-1)
  const sum = new Float64Array(captions[0]!.length)
  let count = 0
  for (let at = 0; at < ids.length; at += vectorsAtOnce) {
    const vectors = await store.vectors(ids.slice(at, at + vectorsAtOnce), options)
    for (const vector of vectors.values()) {
      for (const [i, caption] of captions.entries()) best[i] = Math.max(best[i]!, dot(caption, vector))
      for (const [i, x] of vector.entries()) sum[i]! += x
      count++
    }
  }
  if (count === 0) return undefined
  return { captions: quantised(best), mean: quantised(Float32Array.from(sum, (x) => x / count)) }
}

const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
