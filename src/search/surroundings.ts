import type { CallOptions, Hit, PointFilter, Sighting, Store, Stretch } from '../store/store.ts'

/*
 * What a search knows of the points around the peaks of moments, and how it asks the store for more.
 */

/** Share of its peak's height over the background that a moment keeps. .5 to .8 find the same: docs/search.md. */
export const keptHeight = 0.7

/** How far a moment reaches from its peak each way. 10 to 30 s find the same. */
export const reachSeconds = 15

/** Points around a peak that are asked for at first and at most: half a minute at 1 and at 28 frames a second of 19 patches. */
const firstPoints = 1000
export const mostPoints = 16_000

/** Stretches that the store is asked for at once. */
const stretchesAtOnce = 64

/** Score of a hit: 100 · cosine similarity. */
export const scoreOf = ({ similarity }: Pick<Hit, 'similarity'>): number => 100 * similarity

export const overlaps = (stretch: Stretch, { video, t, until }: Sighting): boolean =>
  stretch.video === video && until >= stretch.from && t <= stretch.to

/** Score that the moment of a peak keeps. */
export const levelOf = (peak: Sighting, { backgroundScore }: Pick<SurroundingsSearch, 'backgroundScore'>): number =>
  backgroundScore + keptHeight * (scoreOf(peak) - backgroundScore)

/** Where the moment of a peak may lie. */
export const reachOf = ({ video, t, until }: Sighting, { filter }: Pick<SurroundingsSearch, 'filter'>): Stretch => ({
  video,
  from: Math.max(t - reachSeconds, filter?.afterSeconds ?? Number.NEGATIVE_INFINITY),
  to: Math.min(until + reachSeconds, filter?.beforeSeconds ?? Number.POSITIVE_INFINITY),
})

export type SurroundingsSearch = CallOptions & {
  readonly store: Pick<Store, 'sightings'>
  /** Embedding of the query: a unit vector of the store's dimension. */
  readonly vector: Float32Array
  /** The query's mean score over the searched videos. */
  readonly backgroundScore: number
  readonly filter?: PointFilter
}

/** The best points of what was asked for: all of them that score more than the floor. */
type Reading = { readonly points: readonly Sighting[]; readonly floorScore: number }

export type Surroundings = {
  /** Notes what was read of a stretch, or of all that is searched. */
  add(stretch: Stretch | undefined, reading: Reading): void
  /** Whether all is known that the moment of a peak may consist of. */
  isKnown(peak: Sighting): boolean
  /** What is known around a peak, and more: best first. */
  points(peak: Sighting): readonly Sighting[]
  /**
   * Asks the store for what is around those of the best points of which it is not known, as many as moments are wanted.
   * What lies near to them comes with them: it may be the next peak.
   * @param best best first
   */
  look(best: readonly Sighting[], moments: number): Promise<void>
}

export const surroundings = (search: SurroundingsSearch): Surroundings => {
  const readings: (Reading & { readonly stretch: Stretch | undefined })[] = []

  /** The one that reaches furthest down. */
  const readingAround = (peak: Sighting): Reading | undefined => {
    const { video, from, to } = reachOf(peak, search)
    return readings
      .filter(({ stretch }) => !stretch || (stretch.video === video && stretch.from <= from && to <= stretch.to))
      .reduce<Reading | undefined>(
        (most, each) => (most && most.floorScore <= each.floorScore ? most : each),
        undefined,
      )
  }
  const isKnown = (peak: Sighting): boolean => {
    const reading = readingAround(peak)
    return reading !== undefined && reading.floorScore < levelOf(peak, search)
  }
  const add: Surroundings['add'] = (stretch, reading) => void readings.push({ ...reading, stretch })

  return {
    add,
    isKnown,
    points: (peak) => readingAround(peak)?.points ?? [],
    look: async (best, moments) => {
      const peaks = nextOf(
        best.filter((peak) => !isKnown(peak)),
        moments,
      )
      const leastLevel = peaks.reduce((least, peak) => Math.min(least, levelOf(peak, search)), Number.POSITIVE_INFINITY)
      const stretches = merged(peaks.map((peak) => reachOf(peak, search)))
      for (let at = 0; at < stretches.length; at += stretchesAtOnce) {
        const within = stretches.slice(at, at + stretchesAtOnce)
        const { points, floorScore } = await pointsIn(within, leastLevel, search)
        for (const stretch of within) {
          add(stretch, { points: points.filter((point) => overlaps(stretch, point)), floorScore })
        }
      }
    },
  }
}

/** The first that lie far apart, as many as moments are wanted, and those near to them. @param best best first */
const nextOf = (best: readonly Sighting[], moments: number): readonly Sighting[] => {
  const next: Sighting[] = []
  const apart: Sighting[] = []
  for (const peak of best) {
    const isNear = apart.some((other) => areNear(peak, other))
    if (!isNear && apart.length === moments) break
    if (!isNear) apart.push(peak)
    next.push(peak)
  }
  return next
}

/** Whether the moments of two peaks may meet. */
const areNear = (a: Sighting, b: Sighting): boolean =>
  a.video === b.video && a.t <= b.until + 2 * reachSeconds && a.until >= b.t - 2 * reachSeconds

const pointsIn = async (
  within: readonly Stretch[],
  leastLevel: number,
  { store, vector, signal }: SurroundingsSearch,
): Promise<Reading> => {
  const windows = within.reduce((sum, { from, to }) => sum + Math.ceil((to - from) / (2 * reachSeconds)), 0)
  for (let each = firstPoints; ; each *= 4) {
    const limit = each * windows
    const points = await store.sightings(vector, { limit, filter: { within }, signal })
    if (points.length < limit) return { points, floorScore: Number.NEGATIVE_INFINITY }
    const floorScore = scoreOf(points.at(-1)!)
    if (floorScore < leastLevel || each >= mostPoints) return { points, floorScore }
  }
}

/** Stretches that meet as one. */
const merged = (stretches: readonly Stretch[]): readonly Stretch[] => {
  const sorted = stretches.toSorted((a, b) => (a.video < b.video ? -1 : a.video > b.video ? 1 : a.from - b.from))
  const together: Stretch[] = []
  for (const stretch of sorted) {
    const last = together.at(-1)
    if (last?.video === stretch.video && stretch.from <= last.to)
      together[together.length - 1] = { ...last, to: Math.max(last.to, stretch.to) }
    else together.push(stretch)
  }
  return together
}
