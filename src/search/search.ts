import type { OpenCollection } from '../collection.ts'
import { UsageError } from '../errors.ts'
import type { Box, Store, VideoRecord } from '../store/store.ts'
import { recentRecords, type Standard, standardOf } from './likelihood.ts'
import { type FoundMoment, findByArticle, findMoments, scoreOf } from './moments.ts'

export type SearchOptions = {
  /** Moments wanted, 1 or more. @default 6 */
  readonly n?: number
  /** Likelihood from which on a moment counts as likely, 0 to 1. @default 0.75 */
  readonly strictness?: number
  /** Only likely moments. */
  readonly likely?: boolean
  /** Only moments that score at least this (100 · cosine). The article's filter has 35 by default. */
  readonly threshold?: number
  /** `moments`: stretches found for the query. `article`: the article's way, for comparison. @default 'moments' */
  readonly filter?: SearchFilter
  /** Of the article's filter: seconds by which a moment differs from the one before it in the list. @default 0.1 */
  readonly gapSeconds?: number
  /** Only videos whose path matches one of these globs. */
  readonly paths?: readonly string[]
  /** Only what is seen at or after this time within the video, in seconds. */
  readonly afterSeconds?: number
  /** Only what begins at or before this time within the video, in seconds. */
  readonly beforeSeconds?: number
  /** Called if the query is longer than the model reads: only its beginning counts. */
  readonly onTruncated?: (query: string) => void
  /** Called if the model knows no word of the query. */
  readonly onUnknown?: (query: string) => void
  readonly signal?: AbortSignal
}

export const searchFilters = ['moments', 'article'] as const
export type SearchFilter = (typeof searchFilters)[number]

export const searchDefaults = {
  n: 6,
  strictness: 0.75,
  filter: 'moments',
  gapSeconds: 0.1,
  articleThreshold: 35,
} as const

/** A stretch of a video: where to look, and how well it fits. Times are seconds from the start of the file, as players count them. */
export type Moment = {
  /** From 1, best first. */
  readonly rank: number
  /** Where the video lies, absolute. */
  readonly path: string
  /** Fingerprint of the video's content. */
  readonly video: string
  /** Of the peak: what fits best is seen here. */
  readonly t: number
  readonly from: number
  readonly to: number
  /** Of the peak: 100 · cosine similarity. */
  readonly score: number
  /**
   * Share of plain captions that find nothing better in the same videos, 0 to 1: comparable among models and
   * collections. `undefined` where the collection was indexed before it was kept.
   */
  readonly likelihood: number | undefined
  /** Scores at least {@link SearchResult.cutoff}; true where there is none. */
  readonly likely: boolean
  /** Number of the peak's patch; 0 is the whole frame. */
  readonly patch: number
  /** The peak's patch. */
  readonly box: Box
  /** Patches of the stretch that fit about as well. */
  readonly hits: number
}

export type SearchResult = {
  readonly query: string
  /** Id of the model. */
  readonly model: string
  readonly collection: string
  /** Best first. */
  readonly moments: readonly Moment[]
  /** Score of the best point; `undefined` if there is none to search in. */
  readonly bestScore: number | undefined
  /**
   * Score from which on moments are likely: what only a quarter (more by {@link SearchOptions.strictness}) of plain
   * captions reach in these videos; else the model's own threshold, `undefined` if it has none.
   */
  readonly cutoff: number | undefined
  /** The model knows no word of the query, so that scores and moments say nothing. */
  readonly unknown: boolean
}

/** What a query is asked of. */
export type Searched = Pick<OpenCollection, 'model' | 'encoder' | 'existing'>

/**
 * Finds the moments that show what a query says. The text tower and the store are loaded side by side.
 *
 * @throws UsageError if the query is empty or an option is out of range
 * @throws CollectionMissingError if nothing was ever indexed
 */
export const search = async (searched: Searched, query: string, options: SearchOptions = {}): Promise<SearchResult> => {
  checkSearch(query, options)
  const { signal, onTruncated, onUnknown } = options
  const { model } = searched
  const store = searched.existing()
  let unknown = false
  const noteUnknown = () => {
    unknown = true
    onUnknown?.(query)
  }
  // The encoder first: loading the store holds up this thread, and the encoder's own must run by then.
  const encoder = await searched.encoder()
  const encoding = encoder.encodeTexts([query], { signal, onTruncated, onUnknown: noteUnknown })
  const [[vector], scope] = await Promise.all([encoding, scopeOf(store, options), store.warmUp?.()])
  const { standard, paths } = scope
  const cutoff = standard?.scoreAt(options.strictness ?? searchDefaults.strictness) ?? model.threshold
  const { found, bestScore } = await find(store, vector!, scope, cutoff, options)
  const shown = paths ?? (await currentPaths(store, found, signal))
  const moments = found.map((moment, i) => toMoment(moment, i + 1, shown, standard, cutoff))
  return { query, model: model.id, collection: store.collection.name, moments, bestScore, cutoff, unknown }
}

export type Scope = {
  /** The videos to search and the path to show of each; `undefined`: all videos. */
  readonly paths: ReadonlyMap<string, string> | undefined
  readonly standard: Standard | undefined
}

export const scopeOf = async (store: Store, { paths: globs, signal }: SearchOptions): Promise<Scope> => {
  if (!globs) return { paths: undefined, standard: standardOf(await recentRecords(store, { signal })) }
  const [{ matchPaths }, records] = await Promise.all([import('../files/paths.ts'), store.records({ signal })])
  const paths = matchPaths(records, globs)
  return { paths, standard: standardOf(records.filter(({ video }) => paths.has(video))) }
}

export const find = async (
  store: Store,
  vector: Float32Array,
  { paths, standard }: Scope,
  cutoff: number | undefined,
  { n = searchDefaults.n, afterSeconds, beforeSeconds, signal, ...options }: SearchOptions,
): Promise<{ found: readonly FoundMoment[]; bestScore: number | undefined }> => {
  const filter = { videos: paths && [...paths.keys()], afterSeconds, beforeSeconds }
  const common = { store, vector, n, filter, signal }
  const leastScore = Math.max(options.threshold ?? -100, (options.likely && cutoff) || -100)
  const found =
    options.filter === 'article'
      ? await findByArticle({
          ...common,
          thresholdScore: Math.max(leastScore, options.threshold ?? searchDefaults.articleThreshold),
          gapSeconds: options.gapSeconds ?? searchDefaults.gapSeconds,
        })
      : await findMoments({ ...common, leastScore, backgroundScore: standard?.background(vector) ?? 0 })
  // With all left out, what there is at best is still worth knowing.
  const best = found[0]?.peak ?? (await store.search(vector, { limit: 1, filter, signal }))[0]
  return { found, bestScore: best && scoreOf(best) }
}

export const toMoment = (
  { peak, from, to, hits }: FoundMoment,
  rank: number,
  paths: ReadonlyMap<string, string>,
  standard: Standard | undefined,
  cutoff: number | undefined,
): Moment => {
  const { video, t, patch, box } = peak
  const score = scoreOf(peak)
  const likely = cutoff === undefined || score >= cutoff
  const path = paths.get(video) ?? peak.path
  return { rank, path, video, t, from, to, score, likelihood: standard?.likelihood(score), likely, patch, box, hits }
}

/** Where each video lies now: a point remembers where it was indexed, its video's record every place. */
const currentPaths = async (
  store: Pick<Store, 'record'>,
  found: readonly FoundMoment[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> => {
  const videos = [...new Set(found.map(({ video }) => video))]
  const records = await Promise.all(videos.map((video) => store.record(video, { signal })))
  const placed = records.filter((record): record is VideoRecord => record?.files[0] !== undefined)
  return new Map(placed.map(({ video, files }) => [video, files[0]!.path]))
}

/** @throws UsageError if the query is empty or an option is out of range */
export const checkSearch = (
  query: string,
  { n, strictness, threshold, gapSeconds, filter = searchDefaults.filter }: SearchOptions,
): void => {
  if (query.trim() === '') {
    throw new UsageError('Expected words that say what is to be seen, got none', {
      remedy: 'Such as: vidgrep search "a red car"',
    })
  }
  if (n !== undefined && !(Number.isSafeInteger(n) && n >= 1)) {
    throw new UsageError(`Expected the number of moments to be a whole number from 1, got ${n}`, {
      remedy: `Use -n ${searchDefaults.n}`,
    })
  }
  if (strictness !== undefined && !(strictness >= 0 && strictness <= 1)) {
    throw new UsageError(`Expected a strictness between 0 and 1, got ${strictness}`, {
      remedy: `Leave --strictness out to use ${searchDefaults.strictness}`,
    })
  }
  if (threshold !== undefined && !(Math.abs(threshold) <= 100)) {
    throw new UsageError(`Expected a threshold between −100 and 100 (scores are 100 · cosine), got ${threshold}`, {
      remedy: 'Leave --threshold out to see weaker moments too',
    })
  }
  if (!searchFilters.includes(filter)) {
    throw new UsageError(`Expected a filter out of ${searchFilters.join(', ')}, got ${filter}`, {
      remedy: 'Leave --filter out',
    })
  }
  if (gapSeconds === undefined) return
  if (!(gapSeconds >= 0)) {
    throw new UsageError(`Expected the gap to be 0 seconds or more, got ${gapSeconds}`, {
      remedy: `Use --gap ${searchDefaults.gapSeconds}`,
    })
  }
  if (filter !== 'article') {
    throw new UsageError('Expected --gap with --filter article alone: moments have their own lengths', {
      remedy: 'Leave --gap out, or add --filter article',
    })
  }
}
