import type { CallOptions, Hit, PointFilter, Sighting, Store, Stretch } from '../store/store.ts'

/** A stretch of a video that fits a query, as it is found: {@link Moment} is what a user gets. */
export type FoundMoment = Stretch & {
  /** The best point of the stretch. */
  readonly peak: Hit
  /** Points of the stretch that keep the height of {@link keptHeight}. */
  readonly hits: number
  /** Where other videos show the same: found no more. */
  readonly elsewhere?: readonly Stretch[]
  /** Worse moments of the same video that show the same. */
  readonly repeats?: readonly FoundMoment[]
}

export type MomentSearch = CallOptions & {
  readonly store: Pick<Store, 'search' | 'sightings'>
  /** Embedding of the query: a unit vector of the store's dimension. */
  readonly vector: Float32Array
  /** Most moments wanted. */
  readonly n: number
  /** Some that are found already, the best ones; they count among them. */
  readonly known?: readonly FoundMoment[]
  /** The query's mean score over the searched videos. */
  readonly backgroundScore: number
  /** Moments that score less are left out. @default none */
  readonly leastScore?: number
  readonly filter?: PointFilter
  /** Where other videos show the same as a stretch: of copies only the best is a moment. @default nowhere */
  readonly elsewhere?: (stretch: Stretch) => readonly Stretch[]
}

/** Hits asked for at once for each moment wanted: the article's figure. */
export const hitsPerMoment = 10

/** Share of its peak's height over the background that a moment keeps. .5 to .8 find the same: docs/search.md. */
export const keptHeight = 0.7

/** How far a moment reaches from its peak each way. 10 to 30 s find the same. */
export const reachSeconds = 15

/** Points around a peak that are asked for at first and at most: half a minute at 1 and at 28 frames a second of 19 patches. */
const firstPoints = 1000
export const mostPoints = 16_000

/** Peaks that the store is asked to look around at once. */
const peaksAtOnce = 32

/** Score of a hit: 100 · cosine similarity. */
export const scoreOf = ({ similarity }: Pick<Hit, 'similarity'>): number => 100 * similarity

/**
 * Finds the stretches of videos that fit a query best. A moment reaches from its peak outwards as far as the best patch
 * of each frame keeps its height over the background; one frame in between may be lower.
 *
 * Asks the store for the best hits outside the moments that it has until `n` stand or nothing is left, and once for what
 * is around all peaks among them that lie far enough apart (three times where more than a thousand points fit each).
 *
 * @returns best first
 */
export const findMoments = async (search: MomentSearch): Promise<readonly FoundMoment[]> => {
  const { store, vector, n, leastScore = Number.NEGATIVE_INFINITY, filter, signal } = search
  const limit = n * hitsPerMoment
  let found: readonly FoundMoment[] = search.known ?? []
  for (;;) {
    signal?.throwIfAborted()
    const outside = [...(filter?.outside ?? []), ...found.flatMap(placesOf)]
    const hits = await store.search(vector, { limit, filter: { ...filter, outside }, signal })
    for (;;) {
      const peaks = nextPeaks(hits, found, search).filter((hit) => scoreOf(hit) >= leastScore)
      if (peaks.length === 0) break
      found = [...found, ...(await around(peaks, found, search))].sort((a, b) => b.peak.similarity - a.peak.similarity)
    }
    const last = hits.at(-1)
    if (found.length >= n || hits.length < limit || !last || scoreOf(last) < leastScore) return found.slice(0, n)
  }
}

/** The best hits that lie in none of the moments, far enough apart to be looked around at once. */
const nextPeaks = (
  hits: readonly Hit[],
  found: readonly FoundMoment[],
  { n, elsewhere }: Pick<MomentSearch, 'n' | 'elsewhere'>,
): readonly Hit[] => {
  const peaks: Hit[] = []
  const waiting: Hit[] = []
  const copies: Stretch[] = []
  for (const hit of hits) {
    // What is worse than n moments cannot come among them.
    if (peaks.length + found.filter(({ peak }) => peak.similarity >= hit.similarity).length >= n) break
    if (found.some((moment) => placesOf(moment).some((place) => overlaps(place, hit)))) continue
    const isNear = ({ video, t, until }: Hit) =>
      video === hit.video && hit.t <= until + 2 * reachSeconds && hit.until >= t - 2 * reachSeconds
    // Of neighbours the best is the peak; only then can be seen which of the others it leaves.
    const isCopy = copies.some((copy) => overlaps(copy, hit))
    if (isCopy || peaks.some(isNear) || waiting.some(isNear)) waiting.push(hit)
    else {
      peaks.push(hit)
      const { video, t, until } = hit
      copies.push(...(elsewhere?.({ video, from: t - 2 * reachSeconds, to: until + 2 * reachSeconds }) ?? []))
    }
  }
  return peaks
}

/** The stretch itself and where other videos show it. */
const placesOf = ({ video, from, to, elsewhere = [] }: FoundMoment): readonly Stretch[] => [
  { video, from, to },
  ...elsewhere,
]

/** How far a copy's sampled frames may lie beside those of the moment, in seconds. */
const copyMarginSeconds = 1

const overlaps = (stretch: Stretch, { video, t, until }: Pick<Hit, 'video' | 't' | 'until'>): boolean =>
  stretch.video === video && until >= stretch.from && t <= stretch.to

/** The moments of peaks that are far from each other; they end where another one begins. */
const around = async (
  peaks: readonly Hit[],
  others: readonly FoundMoment[],
  search: MomentSearch,
): Promise<readonly FoundMoment[]> => {
  const moments: FoundMoment[] = []
  for (let at = 0; at < peaks.length; at += peaksAtOnce) {
    const windows = peaks.slice(at, at + peaksAtOnce).map((peak) => windowOf(peak, others, search))
    const points = await pointsAround(windows, search)
    moments.push(...windows.map((window) => grow(window, points, search)))
  }
  return moments
}

/** Where the moment of a peak may lie. */
type Window = Stretch & {
  readonly peak: Hit
  /** Score that the moment keeps. */
  readonly level: number
  /** Moments of the same video. */
  readonly neighbours: readonly Stretch[]
}

const windowOf = (
  peak: Hit,
  others: readonly FoundMoment[],
  { backgroundScore, filter }: Pick<MomentSearch, 'backgroundScore' | 'filter'>,
): Window => ({
  peak,
  video: peak.video,
  from: Math.max(peak.t - reachSeconds, filter?.afterSeconds ?? Number.NEGATIVE_INFINITY),
  to: Math.min(peak.until + reachSeconds, filter?.beforeSeconds ?? Number.POSITIVE_INFINITY),
  level: backgroundScore + keptHeight * (scoreOf(peak) - backgroundScore),
  neighbours: others.flatMap(placesOf).filter(({ video }) => video === peak.video),
})

/** All points of some windows that keep the level, and the others of the same frames where these are few. */
const pointsAround = async (
  windows: readonly Window[],
  { store, vector, signal }: MomentSearch,
): Promise<readonly Sighting[]> => {
  const within = windows.map(({ video, from, to }) => ({ video, from, to }))
  const leastLevel = Math.min(...windows.map(({ level }) => level))
  for (let each = firstPoints; ; each *= 4) {
    const limit = each * windows.length
    const points = await store.sightings(vector, { limit, filter: { within }, signal })
    if (points.length < limit || scoreOf(points.at(-1)!) < leastLevel || each >= mostPoints) return points
  }
}

const grow = (window: Window, sightings: readonly Sighting[], search: MomentSearch): FoundMoment => {
  const { peak, video, level, neighbours } = window
  const points = sightings.filter((point) => overlaps(window, point) && !neighbours.some((one) => overlaps(one, point)))
  const high = points.filter((point) => scoreOf(point) >= level)
  const times = [...new Set(points.flatMap(({ t, until }) => [t, until]))]
    .filter((at) => at >= window.from && at <= window.to)
    .sort((a, b) => a - b)
  const isHigh = (at: number): boolean => high.some(({ t, until }) => t <= at && at <= until)
  const start = Math.max(...neighbours.map(({ to }) => (to < peak.t ? to : Number.NEGATIVE_INFINITY)))
  const end = Math.min(...neighbours.map(({ from }) => (from > peak.until ? from : Number.POSITIVE_INFINITY)))
  const before = times.filter((at) => at > start && at < peak.t).reverse()
  const after = times.filter((at) => at > peak.until && at < end)
  const from = reach(before, isHigh) ?? peak.t
  const to = reach(after, isHigh) ?? peak.until
  const stretch = { video, from, to }
  const elsewhere = search
    .elsewhere?.(stretch)
    .map((copy) => ({ ...copy, from: copy.from - copyMarginSeconds, to: copy.to + copyMarginSeconds }))
  return { ...stretch, peak, hits: high.filter((point) => overlaps(stretch, point)).length, elsewhere }
}

/** The last of the times, nearest first, that is reached over at most one low one. */
export const reach = (times: readonly number[], isHigh: (at: number) => boolean): number | undefined => {
  let reached: number | undefined
  let low = 0
  for (const at of times) {
    low = isHigh(at) ? 0 : low + 1
    if (low > 1) break
    if (low === 0) reached = at
  }
  return reached
}

/**
 * The filter of the article that this tool began with, for comparison: a hit is accepted when it scores above the
 * threshold and its time differs by more than the gap from the one accepted just before it, whatever the video. The
 * same moment can come up twice when another one scores in between. Of the hits the best 10 · n are looked at.
 *
 * Source: John Robinson, "Video Search Engine Using OpenAI's CLIP".
 *
 * @param hits best first
 */
export const articleFilter = (
  hits: readonly Hit[],
  {
    n,
    thresholdScore,
    gapSeconds,
  }: { readonly n: number; readonly thresholdScore: number; readonly gapSeconds: number },
): readonly Hit[] => {
  const accepted: Hit[] = []
  for (const hit of hits.slice(0, n * hitsPerMoment)) {
    const last = accepted.at(-1)
    const differs = last === undefined || Math.abs(hit.t - last.t) > gapSeconds
    if (accepted.length < n && scoreOf(hit) > thresholdScore && differs) accepted.push(hit)
  }
  return accepted
}

/** What the article does, with one call of the store. */
export const findByArticle = async ({
  store,
  vector,
  filter,
  signal,
  ...options
}: Omit<MomentSearch, 'backgroundScore' | 'leastScore'> & {
  readonly thresholdScore: number
  readonly gapSeconds: number
}): Promise<readonly FoundMoment[]> => {
  const hits = await store.search(vector, { limit: options.n * hitsPerMoment, filter, signal })
  return articleFilter(hits, options).map((peak) => ({
    video: peak.video,
    from: peak.t,
    to: peak.until,
    peak,
    hits: 1,
  }))
}
