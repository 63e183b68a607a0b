import { UMAP } from 'umap-js'
import { UsageError } from '../errors.ts'
import { dot } from '../store/point.ts'
import type { CallOptions, Point, Store, VideoRecord } from '../store/store.ts'
import { mapDefaults } from './options.ts'
import { evenly, isFlatAt, sampledEverySeconds } from './timeline.ts'
import { matchVideos, type VideoFilter } from './videos.ts'

export type MapOptions = VideoFilter &
  CallOptions & {
    /** Most frames on the map, 1 to 2000. @default 150 */
    readonly n?: number
    /** Another number gives another map of the same frames. @default 1 */
    readonly seed?: number
  }

/** A frame on the map: the nearer two of them lie, the more alike they are. */
export type MapPoint = {
  /** From the left, 0 to 1. */
  readonly x: number
  /** From the top, 0 to 1. */
  readonly y: number
  readonly path: string
  readonly video: string
  /** In seconds from the start of the file. */
  readonly t: number
}

export type VideoMap = {
  readonly collection: string
  /** Videos that the points are taken from. */
  readonly videos: number
  readonly points: readonly MapPoint[]
}

/** Cosine of frames from which on the later one is left out: with any model it shows the same scene. */
const sameScene = 0.95

/**
 * Lays frames of the videos out in two dimensions. They are taken evenly from the videos and from the time of each, without
 * those of one colour and those that look like another one.
 *
 * @throws UsageError for a number out of range
 */
export const mapOf = async (
  store: Pick<Store, 'records' | 'scan' | 'collection'>,
  { n = mapDefaults.n, seed = mapDefaults.seed, signal, ...filter }: MapOptions = {},
): Promise<VideoMap> => {
  if (!(Number.isSafeInteger(n) && n >= 1 && n <= 2000)) {
    throw new UsageError(`Expected 1 to 2000 frames on a map, got ${n}`, { remedy: `Use -n ${mapDefaults.n}` })
  }
  const records = await store.records({ signal })
  const paths = await matchVideos(records, filter)
  const shown = records.filter(({ video, files }) => (paths ? paths.has(video) : files.length > 0))
  const chosen = evenly(shown, n)
  const points: Point[] = []
  for (const [i, record] of chosen.entries()) {
    signal?.throwIfAborted()
    const share = Math.floor(((i + 1) * n) / chosen.length) - Math.floor((i * n) / chosen.length)
    for (const point of await framesOf(store, record, share, { signal })) {
      if (!points.some(({ vector }) => dot(vector, point.vector) >= sameScene)) points.push(point)
    }
  }
  const places = layOut(points, seed)
  const pathOf = new Map(chosen.map(({ video, files }) => [video, paths?.get(video) ?? files[0]!.path]))
  return {
    collection: store.collection.name,
    videos: new Set(points.map(({ video }) => video)).size,
    points: points.map(({ video, t }, i) => ({ ...places[i]!, path: pathOf.get(video)!, video, t })),
  }
}

/** Whole frames from the middles of equal parts of a video. */
const framesOf = async (
  store: Pick<Store, 'scan'>,
  record: VideoRecord,
  most: number,
  options: CallOptions,
): Promise<readonly Point[]> => {
  const { video, durationSeconds = 0, frames } = record
  const step = sampledEverySeconds(record)
  const count = Math.min(most, frames)
  const found: Point[] = []
  for (let i = 0; i < count; i++) {
    const middle = ((i + 0.5) * durationSeconds) / count
    let nearest: Point | undefined
    // A model that cuts the sides off has squares of the full height instead of whole frames at the first level.
    const filter = { videos: [video], afterSeconds: middle - step, beforeSeconds: middle + step }
    for await (const point of store.scan(filter, options)) {
      if (nearest === undefined || isBetter(point, nearest, middle)) nearest = point
    }
    if (nearest && !isFlatAt(record, nearest.t)) found.push(nearest)
  }
  return found
}

const isBetter = (one: Point, other: Point, middle: number): boolean =>
  one.patch < other.patch || (one.patch === other.patch && Math.abs(one.t - middle) < Math.abs(other.t - middle))

/** Neighbours that UMAP keeps together: its default. */
const neighbours = 15

/**
 * Source: McInnes, Healy, Melville, UMAP: Uniform Manifold Approximation and Projection for Dimension Reduction,
 * https://arxiv.org/abs/1802.03426. Of so few points it takes a second without a projection before it.
 */
const layOut = (points: readonly Point[], seed: number): readonly { readonly x: number; readonly y: number }[] => {
  // There is nothing to be near to.
  if (points.length < 4) return points.map((_, i) => ({ x: (i + 0.5) / points.length, y: 0.5 }))
  const umap = new UMAP({ nNeighbors: Math.min(neighbours, points.length - 1), random: randomNumbers(seed) })
  const places = umap.fit(points.map(({ vector }) => [...vector])) as [number, number][]
  const [x, y] = [spread(places.map(([across]) => across)), spread(places.map(([, down]) => down))]
  return places.map((_, i) => ({ x: x[i]!, y: y[i]! }))
}

/** From 0 to 1: half by the number, half by its rank, so that a group far away does not press the others together. */
const spread = (numbers: readonly number[]): readonly number[] => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const [low, high] = [sorted[0]!, sorted.at(-1)!]
  return numbers.map((each) => ((each - low) / (high - low || 1) + sorted.indexOf(each) / (sorted.length - 1)) / 2)
}

/** From 0 to 1, the same ones for the same seed (Park and Miller's generator). */
const randomNumbers = (seed: number): (() => number) => {
  let state = 1 + (Math.abs(Math.trunc(seed)) % 2_147_483_646)
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
