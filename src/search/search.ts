import { UsageError } from '../errors.ts'
import type { Box, Hit, PointFilter, Store } from '../store/store.ts'
import { type ScoredHit, scoreOf, selectMoments } from './moments.ts'

/** What a user gets: where to look, and how well it fits. */
export type Moment = {
  /** From 1, best first. */
  readonly rank: number
  /** Where the video lies, absolute. */
  readonly path: string
  /** Fingerprint of the video's content. */
  readonly video: string
  /** Seconds from the start of the file, as players count them. */
  readonly t: number
  /** Time in seconds until which the patch looked the same; `t` or later. */
  readonly until: number
  /** 100 · cosine similarity. */
  readonly score: number
  /** Number of the patch; 0 is the whole frame. */
  readonly patch: number
  readonly box: Box
}

export type MomentSearch = {
  readonly store: Pick<Store, 'search' | 'record'>
  /** Embedding of the query: a unit vector of the store's dimension. */
  readonly vector: Float32Array
  /** @default 6 */
  readonly n?: number
  /** Moments that score less (100 · cosine) are left out; `undefined` leaves out none. */
  readonly thresholdScore?: number
  /** Seconds that two moments of one video are apart at least. @default 0.1 */
  readonly gapSeconds?: number
  /** Only these videos, shown at these paths. */
  readonly paths?: ReadonlyMap<string, string>
  readonly filter?: PointFilter
  readonly signal?: AbortSignal
}

export type MomentSearchResult = {
  /** Best first. */
  readonly moments: readonly Moment[]
  /** Score of the best hit, also where it is under the threshold; `undefined` if there was none at all. */
  readonly bestScore: number | undefined
}

export const defaultMoments = 6
export const defaultGapSeconds = 0.1

/** Hits asked for at first for each moment wanted: the article's figure. */
const hitsPerMoment = 10

/** How much more is asked for when one static scene took up all hits so far. */
const refillFactor = 4

/**
 * Finds the moments that fit a query best. Asks the store for ten hits a moment, and for more until the wanted number
 * of moments stands, the threshold is reached or the store has no more.
 *
 * @throws UsageError if `n`, the threshold or the gap is out of range
 */
export const searchMoments = async (search: MomentSearch): Promise<MomentSearchResult> => {
  const { store, vector, thresholdScore, paths, signal } = search
  const { n = defaultMoments, gapSeconds = defaultGapSeconds } = search
  checkOptions(n, thresholdScore, gapSeconds)
  const filter = { ...search.filter, ...(paths ? { videos: [...paths.keys()] } : {}) }
  let hits: readonly Hit[] = []
  let selected: readonly ScoredHit[] = []
  for (let limit = n * hitsPerMoment; ; limit *= refillFactor) {
    signal?.throwIfAborted()
    hits = await store.search(vector, { limit, filter, signal })
    selected = selectMoments(hits, { n, thresholdScore, gapSeconds })
    const last = hits.at(-1)
    if (selected.length >= n || hits.length < limit || last === undefined) break
    if (thresholdScore !== undefined && scoreOf(last) < thresholdScore) break
  }
  const shown = paths ?? (await currentPaths(store, selected, signal))
  const moments = selected.map((hit, i) => toMoment(hit, i + 1, shown.get(hit.video) ?? hit.path))
  return { moments, bestScore: hits[0] && scoreOf(hits[0]) }
}

const toMoment = ({ video, t, until, score, patch, box }: ScoredHit, rank: number, path: string): Moment => ({
  rank,
  path,
  video,
  t,
  until,
  score,
  patch,
  box,
})

/** Where each video lies now: a point remembers where it was indexed, its video's record every place. */
const currentPaths = async (
  store: Pick<Store, 'record'>,
  hits: readonly ScoredHit[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> => {
  const videos = [...new Set(hits.map(({ video }) => video))]
  const records = await Promise.all(videos.map((video) => store.record(video, { signal })))
  return new Map(records.flatMap((record) => (record?.files[0] ? [[record.video, record.files[0].path]] : [])))
}

const checkOptions = (n: number, thresholdScore: number | undefined, gapSeconds: number): void => {
  if (!Number.isSafeInteger(n) || n < 1) {
    throw new UsageError(`Expected the number of moments to be a whole number from 1, got ${n}`, {
      remedy: `Use -n ${defaultMoments}`,
    })
  }
  if (thresholdScore !== undefined && !(Math.abs(thresholdScore) <= 100)) {
    throw new UsageError(`Expected a threshold between −100 and 100 (scores are 100 · cosine), got ${thresholdScore}`, {
      remedy: 'Leave --threshold out to use the one of the model',
    })
  }
  if (!(gapSeconds >= 0)) {
    throw new UsageError(`Expected the gap to be 0 seconds or more, got ${gapSeconds}`, {
      remedy: `Use --gap ${defaultGapSeconds}`,
    })
  }
}
