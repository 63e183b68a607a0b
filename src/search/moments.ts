import { byRank } from '../store/point.ts'
import type { CallOptions, Hit, Point, Sighting, Store, Stretch } from '../store/store.ts'
import {
  levelOf,
  overlaps,
  reachOf,
  type Surroundings,
  type SurroundingsSearch,
  scoreOf,
  surroundings,
} from './surroundings.ts'

/** A stretch of a video that fits a query, as it is found: {@link Moment} is what a user gets. */
export type FoundMoment<Seen = Hit> = Stretch & {
  /** The best point of the stretch. */
  readonly peak: Seen
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

export type MomentSearch = SurroundingsSearch & {
  readonly store: Pick<Store, 'sightings' | 'points'>
  /** Seconds from one sampled frame of a video to the next. @default 1 */
  readonly stepSeconds?: (video: string) => number
  /** Moments that score less are left out. @default none */
  readonly leastScore?: number
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

/** One frame in between may be lower: the next one is two steps away, more or less, as sampled times are not quite even. */
const bridgedSteps = 2.75

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
  const around = surroundings(search)
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
    around.add(undefined, { points: waiting, floorScore })
  }

  const isFree = (sighting: Sighting): boolean => !places.some((place) => overlaps(place, sighting))

  const nextPeak = (): Sighting | undefined => {
    const at = waiting.findIndex(isFree)
    waiting = at < 0 ? [] : waiting.slice(at)
    return waiting[0]
  }

  const take = (peak: Sighting): void => {
    const moment = grow(peak, places, around, search)
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
          if (!around.isKnown(peak)) await around.look(waiting.filter(isFree), n - found.length)
          take(peak)
        } else if (peak || isAll) {
          break
        } else {
          await look(n)
        }
      }
      // A store that searches near enough may give a better one later.
      const best = found.toSorted((a, b) => byRank(a.peak, b.peak)).slice(0, n)
      return withPeaks(best, search, peaks)
    },
  }
}

/** Moments of which something was removed meanwhile are left out. @param peaks those that are known; the others are added */
export const withPeaks = async (
  moments: readonly Sighted[],
  { store, signal }: CallOptions & { readonly store: Pick<Store, 'points'> },
  peaks = new Map<string, Peak>(),
): Promise<readonly FoundMoment<Peak>[]> => {
  const unknown = moments.map(({ peak }) => peak).filter(({ id }) => !peaks.has(id))
  const points = await store.points(
    unknown.map(({ id }) => id),
    { signal },
  )
  for (const sighting of unknown) {
    const point = points.get(sighting.id)
    if (point) peaks.set(sighting.id, { ...point, ...sighting })
  }
  return moments.flatMap((moment) => {
    const peak = peaks.get(moment.peak.id)
    return peak ? [{ ...moment, peak }] : []
  })
}

/** How far a copy's sampled frames may lie beside those of the moment, in seconds. */
const copyMarginSeconds = 1

/** The moment of a peak; it ends where another one begins. */
const grow = (peak: Sighting, places: readonly Stretch[], around: Surroundings, search: MomentSearch): Sighted => {
  const { video } = peak
  const level = levelOf(peak, search)
  const within = reachOf(peak, search)
  const neighbours = places.filter((place) => place.video === video)
  const high = around
    .points(peak)
    .filter(
      (point) =>
        overlaps(within, point) &&
        scoreOf(point) >= level &&
        !neighbours.some((neighbour) => overlaps(neighbour, point)),
    )
  const start = Math.max(...neighbours.map(({ to }) => (to < peak.t ? to : Number.NEGATIVE_INFINITY)))
  const end = Math.min(...neighbours.map(({ from }) => (from > peak.until ? from : Number.POSITIVE_INFINITY)))
  const bridgedSeconds = bridgedSteps * (search.stepSeconds?.(video) ?? 1)
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
