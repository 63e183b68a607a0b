import { UsageError } from '../errors.ts'
import type { CallOptions, Hit, Store } from '../store/store.ts'
import { elsewhere, knownCopies } from './copies.ts'
import { type Moment, rulesOf } from './find.ts'
import { readFrames } from './frames.ts'
import { type SearchOptions, searchDefaults } from './options.ts'
import type { Query } from './query.ts'
import { type Prepared, prepare, type Searched, search } from './search.ts'
import { scoreOf } from './surroundings.ts'
import { videoNamed } from './timeline.ts'
import { hasFilter } from './videos.ts'

/** Why a search does not show a place as a moment of its own, or that it does. */
export type Verdict = 'shown' | 'in-moment' | 'copy' | 'weak' | 'ranked-lower' | 'filtered' | 'not-sampled'

export type Explanation = {
  readonly query: string
  readonly path: string
  readonly video: string
  /** The place that was asked about, in seconds. */
  readonly t: number
  readonly verdict: Verdict
  /**
   * What fits best there, of several phrases the first: of the frame at `t`, or of the nearest one that was sampled.
   * `undefined` if there is none.
   */
  readonly best: Pick<Hit, 't' | 'until' | 'patch' | 'box'> | undefined
  readonly score: number | undefined
  readonly likelihood: number | undefined
  readonly cutoff: number | undefined
  /** Place among the moments that a search finds; `undefined` if it is none of the first hundred. */
  readonly rank: number | undefined
  /** The moment that the place belongs to, or the one that is shown in place of it: it shows the same. */
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
 * @throws UsageError if there is no such video, or the query is of several steps: each has its own place
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
  const prepared = await prepare(searched, query, options)
  const { scope, cutoff } = prepared
  const fit = await fitAt(prepared, video, t, { signal })
  const found = await search(searched, query, { ...options, n: Math.max(n, mostMoments), likely: false })
  const holds = (moment: Moment): boolean => moment.video === video && moment.from <= t && t <= moment.to
  const own = found.moments.find(holds)
  const original = own ? undefined : copied(found.moments, { video, t }, scope, options)
  const isFiltered =
    (hasFilter(options) && !scope.paths.has(video)) ||
    t < (options.afterSeconds ?? Number.NEGATIVE_INFINITY) ||
    t > (options.beforeSeconds ?? Number.POSITIVE_INFINITY) ||
    (fit && fit.score < (options.threshold ?? Number.NEGATIVE_INFINITY))
  const verdict = ((): Verdict => {
    if (isFiltered) return 'filtered'
    if (!fit || fit.best.t > t || fit.best.until < t) return 'not-sampled'
    if (original) return 'copy'
    if (fit.leastScore !== undefined && fit.judgedScore < fit.leastScore) return 'weak'
    if (own && own.rank <= n) return own.t === fit.best.t ? 'shown' : 'in-moment'
    return 'ranked-lower'
  })()
  return {
    query: found.query,
    path,
    video,
    t,
    verdict,
    best: fit?.best,
    score: fit?.score,
    likelihood: fit && prepared.target.kind !== 'example' ? scope.standard?.likelihood(fit.judgedScore) : undefined,
    cutoff,
    rank: own?.rank,
    moment: own ?? original,
  }
}

type Fit = {
  readonly best: NonNullable<Explanation['best']>
  readonly score: number
  /** What decides whether it is likely: of several phrases the score of the worst. */
  readonly judgedScore: number
  /** From which on it is. */
  readonly leastScore: number | undefined
}

const fitAt = async (
  { store, target, scope, cutoff }: Prepared,
  video: string,
  t: number,
  options: CallOptions,
): Promise<Fit | undefined> => {
  if (target.kind === 'phrases' && target.steps.length > 1) {
    throw new UsageError('Expected what is seen at once to explain, got phrases in order', {
      remedy: 'Ask for one side of the > at a time',
    })
  }
  const vector = target.kind === 'phrases' ? target.steps[0]!.wanted[0]!.vector : target.vector
  const hit = await bestAt(store, vector, video, t, options)
  if (!hit) return undefined
  const { patch, box } = hit
  const best = { t: hit.t, until: hit.until, patch, box }
  const score = scoreOf(hit)
  // Pictures are judged by what copies reach: captions say nothing of them.
  if (target.kind === 'example') return { best, score, judgedScore: score, leastScore: target.alikeScore }
  if (target.kind === 'words') return { best, score, judgedScore: score, leastScore: cutoff }
  const rules = await rulesOf(target.steps, store, scope, options)
  const seenAt = Math.min(hit.until, Math.max(hit.t, t))
  const around = { video, from: seenAt - nearSeconds, to: seenAt + nearSeconds }
  const [frames] = await readFrames([around], { store, rules, ...options })
  const { times, steps } = frames!
  const nearest = times.reduce((near, at, i) => (Math.abs(at - seenAt) < Math.abs(times[near]! - seenAt) ? i : near), 0)
  const { scores, weakest } = steps[0]!
  return {
    best: { ...best, t: times[nearest]!, until: Math.max(times[nearest]!, seenAt) },
    score: scores[nearest]!,
    judgedScore: weakest[nearest]!,
    leastScore: cutoff,
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

/** The moment that shows the same, of another video or earlier or later in this one. */
const copied = (
  moments: readonly Moment[],
  { video, t }: { readonly video: string; readonly t: number },
  { all }: Prepared['scope'],
  { copies }: SearchOptions,
): Moment | undefined => {
  if (copies) return undefined
  const places = elsewhere(knownCopies(all), { video, from: t, to: t })
  const isRepeat = ({ also = [] }: Moment) => also.some((place) => place.video === video && Math.abs(place.t - t) <= 1)
  return moments.find(
    (moment) =>
      (moment.video === video && isRepeat(moment)) ||
      places.some(
        (place) => place.video === moment.video && place.from >= moment.from - 1 && place.to <= moment.to + 1,
      ),
  )
}
