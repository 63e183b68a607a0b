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

/** Stretches that the store is asked for at once. */
const stretchesAtOnce = 64

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
  const seen: Seen[] = []
  for (;;) {
    signal?.throwIfAborted()
    const outside = [...(filter?.outside ?? []), ...found.flatMap(placesOf)]
    const hits = await store.search(vector, { limit, filter: { ...filter, outside }, signal })
    for (;;) {
      const next = nextPeaks(hits, found, search)
      const peaks = next.peaks.filter((hit) => scoreOf(hit) >= leastScore)
      if (peaks.length === 0) break
      await lookAround(peaks, next.beside, seen, search)
      found = [...found, ...peaks.map((peak) => grow(peak, found, seen, search))].sort(
        (a, b) => b.peak.similarity - a.peak.similarity,
      )
    }
    const last = hits.at(-1)
    if (found.length >= n || hits.length < limit || !last || scoreOf(last) < leastScore) return found.slice(0, n)
  }
}

/**
 * The best hits that lie in none of the moments, far enough apart to be looked around at once, and others near to them:
 * what the peaks leave of those is looked at next.
 */
const nextPeaks = (
  hits: readonly Hit[],
  found: readonly FoundMoment[],
  { n, elsewhere }: Pick<MomentSearch, 'n' | 'elsewhere'>,
): { readonly peaks: readonly Hit[]; readonly beside: readonly Hit[] } => {
  const peaks: Hit[] = []
  const waiting: Hit[] = []
  const copies: Stretch[] = []
  for (const hit of hits) {
    // What is worse than n moments cannot come among them.
    if (peaks.length + found.filter(({ peak }) => peak.similarity >= hit.similarity).length >= n) break
    if (found.some((moment) => placesOf(moment).some((place) => overlaps(place, hit)))) continue
    const isNear = (other: Hit) => areNear(hit, other)
    // Of neighbours the best is the peak; only then can be seen which of the others it leaves.
    const isCopy = copies.some((copy) => overlaps(copy, hit))
    if (isCopy || peaks.some(isNear) || waiting.some(isNear)) waiting.push(hit)
    else {
      peaks.push(hit)
      const { video, t, until } = hit
      copies.push(...(elsewhere?.({ video, from: t - 2 * reachSeconds, to: until + 2 * reachSeconds }) ?? []))
    }
  }
  return { peaks, beside: waiting.filter((hit) => peaks.some((peak) => areNear(hit, peak))) }
}

/** Whether the moments of two hits may meet. */
const areNear = (a: Hit, b: Hit): boolean =>
  a.video === b.video && a.t <= b.until + 2 * reachSeconds && a.until >= b.t - 2 * reachSeconds

/** The stretch itself and where other videos show it. */
const placesOf = ({ video, from, to, elsewhere = [] }: FoundMoment): readonly Stretch[] => [
  { video, from, to },
  ...elsewhere,
]

/** How far a copy's sampled frames may lie beside those of the moment, in seconds. */
const copyMarginSeconds = 1

const overlaps = (stretch: Stretch, { video, t, until }: Pick<Hit, 'video' | 't' | 'until'>): boolean =>
  stretch.video === video && until >= stretch.from && t <= stretch.to

/** What is known of a stretch: all its points that score so much, and the others of the same frames where these are few. */
type Seen = { readonly stretch: Stretch; readonly points: readonly Sighting[]; readonly floorScore: number }

/** Asks the store for what is around peaks that nothing is known of, and around the hits beside them, as these may be next. */
const lookAround = async (
  peaks: readonly Hit[],
  beside: readonly Hit[],
  seen: Seen[],
  search: MomentSearch,
): Promise<void> => {
  const unknown = peaks.filter((peak) => {
    const known = seenAround(peak, seen, search)
    return !known || known.floorScore >= levelOf(peak, search)
  })
  if (unknown.length === 0) return
  const hits = [...unknown, ...beside]
  const leastLevel = Math.min(...hits.map((hit) => levelOf(hit, search)))
  const stretches = merged(hits.map((hit) => reachOf(hit, search)))
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
const seenAround = (peak: Hit, seen: readonly Seen[], search: MomentSearch): Seen | undefined => {
  const { video, from, to } = reachOf(peak, search)
  return seen
    .filter(({ stretch }) => stretch.video === video && stretch.from <= from && to <= stretch.to)
    .reduce<Seen | undefined>((most, each) => (most && most.floorScore <= each.floorScore ? most : each), undefined)
}

/** Score that the moment of a peak keeps. */
const levelOf = (peak: Hit, { backgroundScore }: Pick<MomentSearch, 'backgroundScore'>): number =>
  backgroundScore + keptHeight * (scoreOf(peak) - backgroundScore)

/** Where the moment of a peak may lie. */
const reachOf = ({ video, t, until }: Hit, { filter }: Pick<MomentSearch, 'filter'>): Stretch => ({
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
const grow = (peak: Hit, others: readonly FoundMoment[], seen: readonly Seen[], search: MomentSearch): FoundMoment => {
  const { video } = peak
  const level = levelOf(peak, search)
  const within = reachOf(peak, search)
  const neighbours = others.flatMap(placesOf).filter((place) => place.video === video)
  const points = seenAround(peak, seen, search)!.points.filter(
    (point) => overlaps(within, point) && !neighbours.some((one) => overlaps(one, point)),
  )
  const high = points.filter((point) => scoreOf(point) >= level)
  const times = [...new Set(points.flatMap(({ t, until }) => [t, until]))]
    .filter((at) => at >= within.from && at <= within.to)
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
