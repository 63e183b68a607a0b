import { pointId } from '../../src/store/point.ts'
import type { CallOptions, Point, Store, VideoRecord } from '../../src/store/store.ts'

export const model = 'test-model@1'
export const dimension = 24

/** A unit vector in a direction of its own for every seed. */
export const unitVector = (seed: number, length: number = dimension): Float32Array => {
  const random = randomNumbers(seed)
  const numbers = Array.from({ length }, () => normal(random))
  const norm = Math.hypot(...numbers)
  return Float32Array.from(numbers, (x) => x / norm)
}

/** A point that is the same for the same seed, and another for another. */
export const samplePoint = (seed: number, changes: Partial<Point> = {}): Point => {
  const video = changes.video ?? 'video-a'
  const t = seed * 0.5 + 0.04
  return {
    id: pointId('sample', model, t, 1),
    vector: unitVector(seed),
    video,
    path: '/videos/sample.mp4',
    t,
    until: t + 0.5,
    patch: seed % 19,
    box: [0.1, (seed % 10) / 10, 0.28125, 0.5],
    ...changes,
  }
}

export const sampleRecord = (video: string, changes: Partial<VideoRecord> = {}): VideoRecord => ({
  video,
  files: [{ path: `/videos/${video}.mp4`, bytes: 1000, modifiedMs: 1_764_000_000_000 }],
  status: 'complete',
  frames: 10,
  points: 190,
  model,
  settings: 'every=1 grid=patches patch=0.5 step=0.5',
  indexedAt: '2026-11-23T12:00:00.000Z',
  ...changes,
})

/** Writes a record, whatever was there. */
export const putRecord = (store: Pick<Store, 'changeRecord'>, record: VideoRecord, options?: CallOptions) =>
  store.changeRecord(record.video, () => record, options)

/** Cosine similarity, in double precision. */
export const cosine = (a: Float32Array, b: Float32Array): number => {
  let [dot, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!
    aa += a[i]! ** 2
    bb += b[i]! ** 2
  }
  return dot / Math.sqrt(aa * bb)
}

/** Numbers in [0, 1), the same ones for the same seed (mulberry32, https://github.com/cprosche/mulberry32). */
export const randomNumbers = (seed: number) => {
  let state = (seed * 2_654_435_761) >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Box–Muller, https://en.wikipedia.org/wiki/Box%E2%80%93Muller_transform */
export const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
