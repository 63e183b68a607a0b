import { UsageError } from '../errors.ts'
import { checkQuery, type Example, isPlain, parseQuery, type Query } from './query.ts'
import type { VideoFilter } from './videos.ts'

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
  /**
   * What shows the same as a better moment, in a copy or at another time of the same video, is a moment of its own. By
   * default it is named in {@link Moment.also}.
   */
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

export const mapDefaults = { n: 150, seed: 1 } as const

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
