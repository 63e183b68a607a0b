import { UsageError } from '../errors.ts'
import type { CallOptions, Hit, Store } from '../store/store.ts'
import { elsewhere, knownCopies } from './copies.ts'
import type { Moment } from './find.ts'
import { scoreOf } from './moments.ts'
import { type SearchOptions, searchDefaults } from './options.ts'
import type { Query } from './query.ts'
import { type Prepared, prepare, type Searched, search } from './search.ts'
import { videoNamed } from './timeline.ts'

/** Why a search does not show a place as a moment of its own, or that it does. */
export type Verdict = 'shown' | 'in-moment' | 'copy' | 'weak' | 'ranked-lower' | 'filtered' | 'not-sampled'

export type Explanation = {
  readonly query: string
  readonly path: string
  readonly video: string
  /** The place that was asked about, in seconds. */
  readonly t: number
  readonly verdict: Verdict
  /** What fits best there: of the frame at `t`, or of the nearest one that was sampled. `undefined` if there is none. */
  readonly best: Pick<Hit, 't' | 'until' | 'patch' | 'box'> | undefined
  readonly score: number | undefined
  readonly likelihood: number | undefined
  readonly cutoff: number | undefined
  /** Place among the moments that a search finds; `undefined` if it is none of the first hundred. */
  readonly rank: number | undefined
  /** The moment that the place belongs to, or the one in another video that it is a copy of. */
  readonly moment: Moment | undefined
}

/** Moments that are looked through for the place. */
const mostMoments = 100

/** How far from the place frames are looked for, in seconds. */
const nearSeconds = 30

/**
 * Says how well a place fits a query, and which step of a search keeps it out.
 *
 * @param place video: path, the end of one, or fingerprint; t: seconds
 * @throws UsageError if there is no such video, or the query is of several phrases
 */
export const explain = async (
  searched: Searched,
  query: Query,
  place: { readonly video: string; readonly t: number },
  options: SearchOptions = {},
): Promise<Explanation> => {
  const { signal, n = searchDefaults.n } = options
  const { t } = place
  const { path, record } = await videoNamed(searched.existing(), place.video, { signal })
  const { video } = record
  const { store, target, scope, cutoff } = await prepare(searched, query, options)
  if (target.kind === 'phrases') {
    throw new UsageError('Expected one phrase or picture to explain, got several phrases', {
      remedy: 'Ask for one of them at a time',
    })
  }
  const hit = await bestAt(store, target.vector, video, t, { signal })
  const score = hit && scoreOf(hit)
  const found = await search(searched, query, { ...options, n: Math.max(n, mostMoments), likely: false })
  const holds = (moment: Moment): boolean => moment.video === video && moment.from <= t && t <= moment.to
  const own = found.moments.find(holds)
  const original = own ? undefined : copied(found.moments, { video, t }, scope, options)
  const isFiltered =
    (scope.videos !== undefined && !scope.videos.includes(video)) ||
    t < (options.afterSeconds ?? Number.NEGATIVE_INFINITY) ||
    t > (options.beforeSeconds ?? Number.POSITIVE_INFINITY)
  const verdict = ((): Verdict => {
    if (isFiltered) return 'filtered'
    if (!hit || hit.t > t || hit.until < t) return 'not-sampled'
    if (original) return 'copy'
    if (cutoff !== undefined && score! < cutoff) return 'weak'
    if (own && own.rank <= n) return own.t === hit.t ? 'shown' : 'in-moment'
    return 'ranked-lower'
  })()
  return {
    query: found.query,
    path,
    video,
    t,
    verdict,
    best: hit && { t: hit.t, until: hit.until, patch: hit.patch, box: hit.box },
    score,
    likelihood: score === undefined ? undefined : scope.standard?.likelihood(score),
    cutoff,
    rank: own?.rank,
    moment: own ?? original,
  }
}

/** The best patch of the frame at a time, or of the nearest frame. */
const bestAt = async (
  store: Pick<Store, 'search'>,
  vector: Float32Array,
  video: string,
  t: number,
  { signal }: CallOptions,
): Promise<Hit | undefined> => {
  const around = (seconds: number) =>
    store.search(vector, {
      limit: 5000,
      filter: { videos: [video], afterSeconds: t - seconds, beforeSeconds: t + seconds },
      exact: true,
      signal,
    })
  const [there] = await around(0)
  if (there) return there
  const distance = (hit: Hit): number => Math.max(hit.t - t, t - hit.until)
  // They come best first, so that of one frame the best patch stays.
  return (await around(nearSeconds)).reduce<Hit | undefined>(
    (nearest, hit) => (nearest && distance(nearest) <= distance(hit) ? nearest : hit),
    undefined,
  )
}

/** The moment of another video that shows the same. */
const copied = (
  moments: readonly Moment[],
  { video, t }: { readonly video: string; readonly t: number },
  { all }: Prepared['scope'],
  { copies }: SearchOptions,
): Moment | undefined => {
  if (copies) return undefined
  const places = elsewhere(knownCopies(all), { video, from: t, to: t })
  return moments.find((moment) =>
    places.some((place) => place.video === moment.video && place.from >= moment.from - 1 && place.to <= moment.to + 1),
  )
}
