import type { OpenCollection } from '../collection.ts'
import { UsageError } from '../errors.ts'
import type { Box, CallOptions, Store, Stretch, VideoRecord } from '../store/store.ts'
import { elsewhere, knownCopies } from './copies.ts'
import { type FoundPart, type Rule, scoreTogether } from './frames.ts'
import { foreignLanguage, languageName } from './language.ts'
import { recentRecords, type Standard, spreadOf, standardOf } from './likelihood.ts'
import { type FoundMoment, findByArticle, findMoments, scoreOf } from './moments.ts'
import { findPhrases } from './phrases.ts'
import { describeQuery, type Example, isPlain, parseQuery, type Query, type VideoPlace } from './query.ts'
import { checkQuery, type EncodedStep, resolveQuery, type Target } from './resolve.ts'
import { hasFilter, matchVideos, placeOf, type VideoFilter } from './videos.ts'

export type SearchOptions = VideoFilter & {
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
  /** Of `"one" > "another"`: most seconds from one to the next. @default 30 */
  readonly withinSeconds?: number
  /** Only what is seen at or after this time within the video, in seconds. */
  readonly afterSeconds?: number
  /** Only what begins at or before this time within the video, in seconds. */
  readonly beforeSeconds?: number
  /** Copies of a moment in other videos are moments of their own. By default they are named in {@link Moment.also}. */
  readonly copies?: boolean
  /** Called if the query is longer than the model reads: only its beginning counts. */
  readonly onTruncated?: (query: string) => void
  /** Called if the model knows no word of the query. */
  readonly onUnknown?: (query: string) => void
  /** Language of the query (ISO 639-1), where the guess of {@link SearchResult.language} would be wrong. */
  readonly language?: string
  /** Called with the English name of the query's language if the model does not know it. */
  readonly onForeign?: (language: string) => void
  readonly signal?: AbortSignal
}

/** Other likes and dislikes beside the place itself. */
export type SimilarOptions = SearchOptions & Omit<Example, 'text'>

export const searchFilters = ['moments', 'article'] as const
export type SearchFilter = (typeof searchFilters)[number]

export const searchDefaults = {
  n: 6,
  strictness: 0.75,
  filter: 'moments',
  gapSeconds: 0.1,
  articleThreshold: 35,
  withinSeconds: 30,
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
   * collections. Of several phrases that of the least likely. `undefined` for examples, and where the collection was
   * indexed before it was kept.
   */
  readonly likelihood: number | undefined
  /**
   * Scores at least {@link SearchResult.cutoff}, as does each phrase that is wanted; true where there is none. Of an
   * example: one of its pictures is at least as alike as {@link alikeScore}, or its words score at least the cutoff.
   */
  readonly likely: boolean
  /** Number of the peak's patch; 0 is the whole frame. */
  readonly patch: number
  /** The peak's patch. */
  readonly box: Box
  /** Patches of the stretch that fit about as well; of several phrases, frames. */
  readonly hits: number
  /** Other files that show the same: the same file elsewhere, and copies that were cut, scaled or encoded again. */
  readonly also?: readonly OtherPlace[]
  /** Of several phrases: each that is wanted, in the query's order. */
  readonly parts?: readonly MomentPart[]
}

/** Where another file shows the peak of a moment. `t`: seconds from its start. */
export type OtherPlace = { readonly path: string; readonly video: string; readonly t: number }

/** One phrase of a moment, where it is seen best. */
export type MomentPart = {
  readonly text: string
  /** Which of the steps of `"one" > "another"` it belongs to, from 0. */
  readonly step: number
  readonly t: number
  readonly score: number
  readonly patch: number
  readonly box: Box
}

export type SearchResult = {
  /** As it was given; of an example a line that describes it. */
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
  /** Language of the query (ISO 639-1) where it plainly is one that the model does not know. */
  readonly language: string | undefined
}

/** What a query is asked of. */
export type Searched = Pick<OpenCollection, 'model' | 'encoder' | 'existing'>

/**
 * Finds the moments that show what a query says. The text tower and the store are loaded side by side.
 *
 * @throws UsageError if the query is empty or breaks the rules, or an option is out of range
 * @throws CollectionMissingError if nothing was ever indexed
 */
export const search = async (searched: Searched, query: Query, options: SearchOptions = {}): Promise<SearchResult> => {
  const { store, scope, cutoff, ...asked } = await prepare(searched, query, options)
  const { found, bestScore } = await find(store, asked.target, scope, cutoff, options)
  const shown = scope.paths ?? (await currentPaths(store, found, options.signal))
  const moments = found.map((moment, i) => withOthers(toMoment(moment, i + 1, shown), scope, options))
  const { unknown, language } = asked
  const [{ id }, { name }] = [searched.model, store.collection]
  return { query: describeQuery(query), model: id, collection: name, moments, bestScore, cutoff, unknown, language }
}

export type Prepared = Pick<SearchResult, 'cutoff' | 'unknown' | 'language'> & {
  readonly store: Store
  readonly target: Target
  readonly scope: Scope
}

/** Encodes a query, and finds out which videos to search and what is likely in them. @throws as {@link search} */
export const prepare = async (searched: Searched, query: Query, options: SearchOptions): Promise<Prepared> => {
  checkSearch(query, options)
  const { signal, onTruncated, onUnknown, onForeign } = options
  const { model } = searched
  const store = searched.existing()
  let unknown = false
  const noteUnknown = (text: string) => {
    unknown = true
    onUnknown?.(text)
  }
  // The encoder first: loading the store holds up this thread, and the encoder's own must run by then.
  const encoder = await searched.encoder()
  const resolving = resolveQuery(query, { encoder, store, signal, onTruncated, onUnknown: noteUnknown })
  const [target, scope] = await Promise.all([resolving, scopeOf(store, options), store.warmUp?.()])
  const cutoff = scope.standard?.scoreAt(options.strictness ?? searchDefaults.strictness) ?? model.threshold
  const language = foreignLanguage(query, model, options.language)
  if (language) onForeign?.(languageName(language))
  return { store, target, scope, cutoff, unknown, language }
}

/**
 * Finds the moments that look like what a video shows at a time, or like a part of it; that moment itself is left out.
 *
 * @throws UsageError if there is no such video or place, or an option is out of range
 * @throws CollectionMissingError if nothing was ever indexed
 */
export const similar = async (
  searched: Searched,
  source: VideoPlace,
  { like = [], unlike, ...options }: SimilarOptions = {},
): Promise<SearchResult> => {
  const { n = searchDefaults.n, signal } = options
  const { record } = (await placeOf(searched.existing(), source, { signal })) ?? {}
  const result = await search(searched, { like: [source, ...like], unlike }, { ...options, n: n + 1 })
  const isItself = ({ video, from, to }: Moment) => video === record?.video && from <= source.t && source.t <= to
  const moments = result.moments.filter((moment) => !isItself(moment)).slice(0, n)
  return { ...result, moments: moments.map((moment, i) => ({ ...moment, rank: i + 1 })) }
}

type Scope = {
  /** The path to show of each video to search; `undefined`: all videos, wherever they lie. */
  readonly paths: ReadonlyMap<string, string> | undefined
  /** The videos to search; `undefined`: all, so that the store need not look for each of them. */
  readonly videos: readonly string[] | undefined
  readonly records: readonly VideoRecord[]
  /** The records of all videos: what is not searched may be a copy. */
  readonly all: readonly VideoRecord[]
  readonly standard: Standard | undefined
}

const scopeOf = async (store: Store, options: SearchOptions): Promise<Scope> => {
  const { signal } = options
  if (!hasFilter(options)) {
    const records = await recentRecords(store, { signal })
    return { paths: undefined, videos: undefined, records, all: records, standard: standardOf(records) }
  }
  const all = await store.records({ signal })
  const paths = (await matchVideos(all, options))!
  const records = all.filter(({ video }) => paths.has(video))
  const videos = records.length === all.length ? undefined : [...paths.keys()]
  return { paths, videos, records, all, standard: standardOf(records) }
}

/** Adds where else the peak of a moment is to be seen. */
const withOthers = (moment: Moment, { all }: Scope, { copies, filter }: SearchOptions): Moment => {
  const { video, path, t } = moment
  const isTogether = !copies && filter !== 'article'
  const others = isTogether ? elsewhere(knownCopies(all), { video, from: t, to: t }) : []
  const at = new Map([[video, t], ...others.map((other) => [other.video, other.from] as const)])
  const also = all
    .filter((record) => at.has(record.video))
    .flatMap(({ video, files }) => files.map((file) => ({ path: file.path, video, t: at.get(video)! })))
    .filter((place) => place.path !== path)
  return also.length > 0 ? { ...moment, also } : moment
}

/** A moment with what decides whether it is likely. */
type Judged = FoundMoment & Pick<Moment, 'likelihood' | 'likely' | 'parts'>

export const find = async (
  store: Store,
  target: Target,
  { videos, records, all, standard }: Scope,
  cutoff: number | undefined,
  options: SearchOptions,
): Promise<{ found: readonly Judged[]; bestScore: number | undefined }> => {
  const { n = searchDefaults.n, afterSeconds, beforeSeconds, signal, likely } = options
  const filter = { videos, afterSeconds, beforeSeconds }
  const common = { store, n, filter, signal, leastScore: options.threshold }
  const together = options.copies ? undefined : (stretch: Stretch) => elsewhere(knownCopies(all), stretch)
  const isLikely = (score: number) => cutoff === undefined || score >= cutoff
  const likelihoodOf = (score: number) => standard?.likelihood(score)

  if (target.kind === 'phrases') {
    const rules = await rulesOf(target.steps, store, { records, standard }, { signal })
    const { withinSeconds = searchDefaults.withinSeconds } = options
    const more = together && knownCopies(all).size > 0 ? 2 * n : n
    const found = withoutCopies(await findPhrases({ ...common, n: more, rules, withinSeconds }), together).slice(0, n)
    const judged = found.map((moment) => {
      const parts = moment.parts.map(toPart)
      const likely = isLikely(moment.weakestScore)
      return { ...moment, parts, likelihood: likelihoodOf(moment.weakestScore), likely }
    })
    return { found: likelyFirst(judged, likely), bestScore: found[0] && scoreOf(found[0].peak) }
  }

  const { vector } = target
  const isExample = target.kind === 'example'
  const least = Math.max(options.threshold ?? -100, (likely && !isExample && cutoff) || -100)
  const found =
    options.filter === 'article'
      ? await findByArticle({
          ...common,
          vector,
          thresholdScore: Math.max(least, options.threshold ?? searchDefaults.articleThreshold),
          gapSeconds: options.gapSeconds ?? searchDefaults.gapSeconds,
        })
      : await findMoments({
          ...common,
          vector,
          leastScore: least,
          backgroundScore: standard?.background(vector) ?? 0,
          elsewhere: together,
        })
  // With all left out, what there is at best is still worth knowing.
  const best = found[0]?.peak ?? (await store.search(vector, { limit: 1, filter, signal }))[0]
  const bestScore = best && scoreOf(best)
  if (isExample) return { found: likelyFirst(await judgedByExample(found, target, store, isLikely), likely), bestScore }
  const judged = found.map((moment) => {
    const score = scoreOf(moment.peak)
    return { ...moment, likelihood: likelihoodOf(score), likely: isLikely(score) }
  })
  return { found: judged, bestScore }
}

/** Of moments that show the same in several videos the best. */
const withoutCopies = <M extends FoundMoment>(
  moments: readonly M[],
  together: ((stretch: Stretch) => readonly Stretch[]) | undefined,
): readonly M[] => {
  const hidden: Stretch[] = []
  return moments.filter(({ video, from, to, peak }) => {
    if (hidden.some((copy) => copy.video === video && copy.from <= peak.t && peak.t <= copy.to)) return false
    hidden.push(...(together?.({ video, from, to }) ?? []))
    return true
  })
}

/** In the same order otherwise. @param only whether the others are left out */
const likelyFirst = (moments: readonly Judged[], only: boolean | undefined): readonly Judged[] => [
  ...moments.filter(({ likely }) => likely),
  ...(only ? [] : moments.filter(({ likely }) => !likely)),
]

/**
 * Score between two pictures from which on they show the same: what docs/search.md measures for whole frames of copies.
 * What captions reach says nothing about pictures.
 */
export const alikeScore = 80

const judgedByExample = async (
  found: readonly FoundMoment[],
  { likes, words }: Target & { kind: 'example' },
  store: Store,
  isLikely: (score: number) => boolean,
): Promise<readonly Judged[]> => {
  const vectors = await store.vectors(found.map(({ peak }) => peak.id))
  return found.map((moment) => {
    const seen = vectors.get(moment.peak.id)
    const score = (vector: Float32Array) => 100 * vector.reduce((sum, x, i) => sum + x * (seen?.[i] ?? 0), 0)
    const isAlike = likes.some((like) => score(like) >= alikeScore)
    return { ...moment, likelihood: undefined, likely: isAlike || (words !== undefined && isLikely(score(words))) }
  })
}

export const rulesOf = (
  steps: readonly EncodedStep[],
  store: Store,
  { records, standard }: Pick<Scope, 'records' | 'standard'>,
  options: CallOptions,
): Promise<readonly Rule[]> =>
  Promise.all(
    steps.map(async (step) => {
      const background = (vector: Float32Array) => standard?.background(vector) ?? 0
      const all = [...step.wanted.map(({ vector }) => vector), ...(step.together ? [step.together] : [])]
      const spreads = await Promise.all(step.unwanted.map(({ vector }) => spreadOf(store, vector, records, options)))
      return {
        ...step,
        backgroundScore: scoreTogether(step, all.map(background)),
        allowedScores: spreads.map((spread) => (spread ? spread.meanScore + allowedSpreads * spread.spreadScore : 0)),
      }
    }),
  )

/** By how many standard deviations an unwanted phrase may exceed its mean. */
const allowedSpreads = 2

const toPart = ({ text, step, hit }: FoundPart): MomentPart => {
  const { t, patch, box } = hit
  return { text, step, t, score: scoreOf(hit), patch, box }
}

export const toMoment = (
  { peak, from, to, hits, likelihood, likely, parts }: Judged,
  rank: number,
  paths: ReadonlyMap<string, string>,
): Moment => {
  const { video, t, patch, box } = peak
  const path = paths.get(video) ?? peak.path
  const moment = { rank, path, video, t, from, to, score: scoreOf(peak), likelihood, likely, patch, box, hits }
  return parts ? { ...moment, parts } : moment
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

/** Frames so far apart are read at once. */
const mostWithinSeconds = 600

/** @throws UsageError if the query is empty or breaks the rules, or an option is out of range */
export const checkSearch = (
  query: Query,
  { n, strictness, threshold, gapSeconds, withinSeconds, filter = searchDefaults.filter }: SearchOptions,
): void => {
  checkQuery(query)
  if (withinSeconds !== undefined && !(withinSeconds > 0 && withinSeconds <= mostWithinSeconds)) {
    throw new UsageError(
      `Expected within to be above 0 and at most ${mostWithinSeconds} seconds, got ${withinSeconds}`,
      {
        remedy: `Use --within ${searchDefaults.withinSeconds}`,
      },
    )
  }
  if (filter === 'article' && typeof query === 'string' && !isPlain(parseQuery(query))) {
    throw new UsageError('Expected plain words with --filter article, got several phrases', {
      remedy: 'Leave --filter out',
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
