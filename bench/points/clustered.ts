import { pointId } from '../../src/store/point.ts'
import type { Point, Store, VideoRecord } from '../../src/store/store.ts'
import { normal, putRecord, randomNumbers } from '../../test/store/samples.ts'

/*
 * Points that lie in clusters, as patches of videos do: uniformly random vectors have no neighbourhoods to index. The
 * same numbers for the same count and dimension on every machine.
 */

export const pointsPerVideo = 5000
const pointsPerFrame = 18
const batchSize = 256

export type Clusters = {
  /** A member of some cluster: a unit vector with a cosine of about 0.82 to the cluster's middle. */
  readonly member: () => Float32Array
  /** A unit vector that is far from all of them, as a text is from pictures. */
  readonly stranger: () => Float32Array
}

/** @param seed other ones give other members of the same clusters */
export const clustersOf = (count: number, dimension: number, seed = 1): Clusters => {
  const direction = (random: () => number, around?: Float32Array): Float32Array => {
    const numbers = Float32Array.from({ length: dimension }, (_, i) => (around?.[i] ?? 0) * 1.7 + 0.06 * normal(random))
    const length = Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0))
    return numbers.map((x) => x / length)
  }
  const ofCentres = randomNumbers(1)
  const centres = Array.from({ length: Math.max(50, count / 200) }, () => direction(ofCentres))
  const random = randomNumbers(seed + 1)
  return {
    member: () => direction(random, centres[Math.floor(random() * centres.length)]),
    stranger: () => direction(random),
  }
}

/** Fills an empty store with points and records of videos of 5,000 points each, as an ingest does it. */
export const fill = async (store: Store, count: number): Promise<{ readonly upsertSeconds: number }> => {
  const { member } = clustersOf(count, store.collection.dimension)
  let upsertSeconds = 0
  for (let at = 0; at < count; at += batchSize) {
    const batch = Array.from({ length: Math.min(batchSize, count - at) }, (_, i) => pointAt(at + i, member()))
    const start = performance.now()
    await store.upsert(batch)
    upsertSeconds += (performance.now() - start) / 1000
  }
  for (let video = 0; video * pointsPerVideo < count; video++)
    await putRecord(store, recordOf(video, store.collection.model))
  return { upsertSeconds }
}

export const videoName = (number: number): string => `video-${number}`

export const pathOf = (video: string): string => `/v/${video}.mp4`

export const pointAt = (i: number, vector: Float32Array): Point => {
  const video = videoName(Math.floor(i / pointsPerVideo))
  const patch = i % pointsPerFrame
  const t = Math.floor((i % pointsPerVideo) / pointsPerFrame)
  return {
    id: pointId(video, 'bench', t, patch),
    vector,
    video,
    path: pathOf(video),
    t,
    until: t,
    patch,
    box: [0, 0, 1, 1],
  }
}

export const recordOf = (number: number, model: string): VideoRecord => {
  const video = videoName(number)
  return {
    video,
    files: [{ path: pathOf(video), bytes: 1, modifiedMs: 0 }],
    status: 'complete',
    frames: Math.ceil(pointsPerVideo / pointsPerFrame),
    points: pointsPerVideo,
    model,
    settings: 'bench',
    indexedAt: '2026-01-01T00:00:00.000Z',
  }
}
