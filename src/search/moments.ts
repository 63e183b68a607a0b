import type { CallOptions, Hit, Point, PointFilter, Sighting, Store, Stretch } from '../store/store.ts'

/** A stretch of a video that fits a query, as it is found: {@link Moment} is what a user gets. */
export type FoundMoment<Peak = Hit> = Stretch & {
  /** The best point of the stretch. */
  readonly peak: Peak
  /** Points of the stretch that keep the height of {@link keptHeight}. */
  readonly hits: number
  /** Where other videos show the same: found no more. */
  readonly elsewhere?: readonly Stretch[]
  /** Worse moments of the same video that show the same. */
  readonly repeats?: readonly FoundMoment[]
}

/** A hit with its vector. */
export type Peak = Hit & Pick<Point, 'vector'>

type Sighted = FoundMoment<Sighting>

export type MomentSearch = CallOptions & {
  readonly store: Pick<Store, 'sightings' | 'points'>
  /** Embedding of the query: a unit vector of the store's dimension. */
  readonly vector: Float32Array
  /** The query's mean score over the searched videos. */
  readonly backgroundScore: number
  /** Seconds between the sampled frames of a video, on average. @default 1 */
  readonly everySeconds?: (video: string) => number
  /** Moments that score less are left out. @default none */
  readonly leastScore?: number
  readonly filter?: PointFilter
  /** Where other videos show the same as a stretch: of copies only the best is a moment. @default nowhere */
  readonly elsewhere?: (stretch: Stretch) => readonly Stretch[]
}

/** Hits that the article asks for, for each moment wanted. */
export const hitsPerMoment = 10

/**
 * Sightings that are asked for at least. Of 100,000 points so many hold the best moments whole, so that their surroundings
 * need not be asked for; the embedded store takes 6 ms more for them than for 80.
 */
const leastSightings = 1000

/** Share of its peak's height over the background that a moment keeps. .5 to .8 find the same: docs/search.md. */
export const keptHeight = 0.7

/** How far a moment reaches from its peak each way. 10 to 30 s find the same. */
export const reachSeconds = 15

/** Points around a peak that are asked for at first and at most: half a minute at 1 and at 28 frames a second of 19 patches. */
const firstPoints = 1000
export const mostPoints = 16_000

/**
 * One frame in between may be lower: the next one is two steps away. A little less than three, as sampled times are not
 * quite even, and the average counts what comes after the last frame.
 */
const bridgedSteps = 2.75

/** Stretches that the store is asked for at once. */
const stretchesAtOnce = 64

/** Score of a hit: 100 · cosine similarity. */
export const scoreOf = ({ similarity }: Pick<Hit, 'similarity'>): number => 100 * similarity

export type MomentFinder = {
  /** The best `n` moments, best first, or as many as there are; with a larger `n` it goes on where it was. */
  best(n: number): Promise<readonly FoundMoment<Peak>[]>
}

/**
 * Finds the stretches of videos that fit a query best. A moment reaches from its peak outwards as far as the best patch
 * of each frame keeps its height over the background; one frame in between may be lower.
 *
 * Asks the store for the best sightings outside the moments that it has until `n` stand or nothing is left. Where these
 * do not reach down to what a moment keeps, it asks once for what is around all such peaks that lie far enough apart
 * (three times where more than a thousand points fit each).
 */
export const findMoments = (search: MomentSearch): MomentFinder => {
  const { store, vector, leastScore = Number.NEGATIVE_INFINITY, filter, signal } = search
  const found: Sighted[] = []
  /** Where the moments are, and where other videos show the same. */
  const places: Stretch[] = []
  const seen: Seen[] = []
  const peaks = new Map<string, Peak>()
  /** What the store gave last that lies in no moment, as far as that was looked at: best first. */
  let waiting: readonly Sighting[] = []
  let isAll = false

  const look = async (n: number): Promise<void> => {
    const limit = Math.max(leastSightings, n * hitsPerMoment)
    const outside = [...(filter?.outside ?? []), ...places]
    waiting = (await store.sightings(vector, { limit, filter: { ...filter, outside }, signal })).toSorted(byRank)
    isAll = waiting.length < limit
    const floorScore = isAll ? Number.NEGATIVE_INFINITY : scoreOf(waiting.at(-1)!)
    seen.push({ stretch: undefined, points: waiting, floorScore })
  }

  const isFree = (sighting: Sighting): boolean => !places.some((place) => overlaps(place, sighting))

  const nextPeak = (): Sighting | undefined => {
    const at = waiting.findIndex(isFree)
    waiting = at < 0 ? [] : waiting.slice(at)
    return waiting[0]
  }

  const take = (peak: Sighting): void => {
    const moment = grow(peak, places, seen, search)
    found.push(moment)
    const { video, from, to, elsewhere = [] } = moment
    places.push({ video, from, to }, ...elsewhere)
  }

  return {
    best: async (n) => {
      while (found.length < n) {
        signal?.throwIfAborted()
        const peak = nextPeak()
        if (peak && scoreOf(peak) >= leastScore) {
          if (!isSeen(peak, seen, search)) {
            await lookAround(nextUnseen(waiting.filter(isFree), n - found.length, seen, search), seen, search)
          }
          take(peak)
        } else if (peak || isAll) {
          break
        } else {
          await look(n)
        }
      }
      return withPeaks(found.slice(0, n), peaks, search)
    },
  }
}

/** Best first, equals by id. */
const byRank = (a: Sighting, b: Sighting): number => b.similarity - a.similarity || (a.id < b.id ? -1 : 1)

/** Moments of which something was removed meanwhile are left out. @param peaks those that are known */
const withPeaks = async (
  moments: readonly Sighted[],
  peaks: Map<string, Peak>,
  { store, signal }: Pick<MomentSearch, 'store' | 'signal'>,
): Promise<readonly FoundMoment<Peak>[]> => {
  const unknown = moments.map(({ peak }) => peak).filter(({ id }) => !peaks.has(id))
  const ids = unknown.map(({ id }) => id)
  const points = ids.length > 0 ? await store.points(ids, { signal }) : new Map<string, Point>()
  for (const sighting of unknown) {
    const point = points.get(sighting.id)
    if (point) peaks.set(sighting.id, { ...point, ...sighting })
  }
  return moments.flatMap((moment) => {
    const peak = peaks.get(moment.peak.id)
    return peak ? [{ ...moment, peak }] : []
  })
}

/** Those of the best whose surroundings are not known, for so many moments: what lies near to them comes with them. */
const nextUnseen = (
  best: readonly Sighting[],
  moments: number,
  seen: readonly Seen[],
  search: MomentSearch,
): readonly Sighting[] => {
  const unseen: Sighting[] = []
  const apart: Sighting[] = []
  for (const sighting of best) {
    if (isSeen(sighting, seen, search)) continue
    const isNear = apart.some((other) => areNear(sighting, other))
    if (!isNear && apart.length === moments) break
    if (!isNear) apart.push(sighting)
    unseen.push(sighting)
  }
  return unseen
}

/** Whether the moments of two peaks may meet. */
const areNear = (a: Sighting, b: Sighting): boolean =>
  a.video === b.video && a.t <= b.until + 2 * reachSeconds && a.until >= b.t - 2 * reachSeconds

/** How far a copy's sampled frames may lie beside those of the moment, in seconds. */
const copyMarginSeconds = 1

export const overlaps = (stretch: Stretch, { video, t, until }: Sighting): boolean =>
  stretch.video === video && until >= stretch.from && t <= stretch.to

/** What is known of a stretch, `undefined`: of all that is searched: all its points that score more than the floor. */
type Seen = { readonly stretch: Stretch | undefined; readonly points: readonly Sighting[]; readonly floorScore: number }

/** Asks the store for what is around peaks. */
const lookAround = async (peaks: readonly Sighting[], seen: Seen[], search: MomentSearch): Promise<void> => {
  const leastLevel = Math.min(...peaks.map((peak) => levelOf(peak, search)))
  const stretches = merged(peaks.map((peak) => reachOf(peak, search)))
  for (let at = 0; at < stretches.length; at += stretchesAtOnce) {
    const within = stretches.slice(at, at + stretchesAtOnce)
    const { points, floorScore } = await pointsIn(within, leastLevel, search)
    for (const stretch of within)
      seen.push({ stretch, points: points.filter((point) => overlaps(stretch, point)), floorScore })
  }
}

const pointsIn = async (
  within: readonly Stretch[],
  leastLevel: number,
  { store, vector, signal }: MomentSearch,
): Promise<Omit<Seen, 'stretch'>> => {
  const windows = within.reduce((sum, { from, to }) => sum + Math.ceil((to - from) / (2 * reachSeconds)), 0)
  for (let each = firstPoints; ; each *= 4) {
    const limit = each * windows
    const points = await store.sightings(vector, { limit, filter: { within }, signal })
    if (points.length < limit) return { points, floorScore: Number.NEGATIVE_INFINITY }
    const floorScore = scoreOf(points.at(-1)!)
    if (floorScore < leastLevel || each >= mostPoints) return { points, floorScore }
  }
}

/** The most that was read of where the moment of a peak may lie. */
const seenAround = (peak: Sighting, seen: readonly Seen[], search: MomentSearch): Seen | undefined => {
  const { video, from, to } = reachOf(peak, search)
  return seen
    .filter(({ stretch }) => !stretch || (stretch.video === video && stretch.from <= from && to <= stretch.to))
    .reduce<Seen | undefined>((most, each) => (most && most.floorScore <= each.floorScore ? most : each), undefined)
}

/** Whether all is known that the moment of a peak may consist of. */
const isSeen = (peak: Sighting, seen: readonly Seen[], search: MomentSearch): boolean => {
  const known = seenAround(peak, seen, search)
  return known !== undefined && known.floorScore < levelOf(peak, search)
}

/** Score that the moment of a peak keeps. */
const levelOf = (peak: Sighting, { backgroundScore }: Pick<MomentSearch, 'backgroundScore'>): number =>
  backgroundScore + keptHeight * (scoreOf(peak) - backgroundScore)

/** Where the moment of a peak may lie. */
const reachOf = ({ video, t, until }: Sighting, { filter }: Pick<MomentSearch, 'filter'>): Stretch => ({
  video,
  from: Math.max(t - reachSeconds, filter?.afterSeconds ?? Number.NEGATIVE_INFINITY),
  to: Math.min(until + reachSeconds, filter?.beforeSeconds ?? Number.POSITIVE_INFINITY),
})

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

/** The moment of a peak; it ends where another one begins. */
const grow = (peak: Sighting, places: readonly Stretch[], seen: readonly Seen[], search: MomentSearch): Sighted => {
  const { video } = peak
  const level = levelOf(peak, search)
  const within = reachOf(peak, search)
  const neighbours = places.filter((place) => place.video === video)
  const high = seenAround(peak, seen, search)!.points.filter(
    (point) =>
      overlaps(within, point) && scoreOf(point) >= level && !neighbours.some((neighbour) => overlaps(neighbour, point)),
  )
  const start = Math.max(...neighbours.map(({ to }) => (to < peak.t ? to : Number.NEGATIVE_INFINITY)))
  const end = Math.min(...neighbours.map(({ from }) => (from > peak.until ? from : Number.POSITIVE_INFINITY)))
  const bridgedSeconds = bridgedSteps * (search.everySeconds?.(video) ?? 1)
  let { t: from, until: to } = peak
  for (const { t, until } of high.toSorted((a, b) => a.t - b.t)) {
    if (t < end && t <= to + bridgedSeconds) to = Math.max(to, Math.min(until, within.to))
  }
  for (const { t, until } of high.toSorted((a, b) => b.until - a.until)) {
    if (until > start && until >= from - bridgedSeconds) from = Math.min(from, Math.max(t, within.from))
  }
  const stretch = { video, from, to }
  const elsewhere = search
    .elsewhere?.(stretch)
    .map((copy) => ({ ...copy, from: copy.from - copyMarginSeconds, to: copy.to + copyMarginSeconds }))
  return { ...stretch, peak, hits: high.filter((point) => overlaps(stretch, point)).length, elsewhere }
}
