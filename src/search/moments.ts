import type { Hit } from '../store/store.ts'

/** A hit with its score: what the filters below give back. */
export type ScoredHit = Hit & {
  /** 100 · cosine similarity, −100 to 100. */
  readonly score: number
}

export type FilterOptions = {
  /** Most moments wanted. */
  readonly n: number
  /** Hits that score less are dropped; `undefined` drops none. */
  readonly thresholdScore?: number
  /** Seconds. Hits of one video that are no further apart than this show the same moment. */
  readonly gapSeconds: number
}

/** Times are multiples of 1/90000 s at the finest: anything closer to the gap than this is rounding. */
const roundingSeconds = 1e-6

/** Score of a hit: 100 · cosine similarity. */
export const scoreOf = ({ similarity }: Pick<Hit, 'similarity'>): number => 100 * similarity

/**
 * Picks the moments out of hits that come best first: drops what scores under the threshold, and what lies within the
 * gap of a better moment of the same video. A hit stands for the whole span from `t` to `until`, so two hits lie within
 * the gap when the time between their spans is no longer than the gap.
 *
 * What it picks from the first hits of a list is the beginning of what it picks from the whole list.
 *
 * @param hits best first
 * @returns at most `n`, best first
 */
export const selectMoments = (
  hits: readonly Hit[],
  { n, thresholdScore = Number.NEGATIVE_INFINITY, gapSeconds }: FilterOptions,
): readonly ScoredHit[] => {
  const moments: ScoredHit[] = []
  for (const hit of hits) {
    const score = scoreOf(hit)
    if (moments.length >= n || score < thresholdScore) break
    const isNew = moments.every(
      (moment) => moment.video !== hit.video || secondsBetween(moment, hit) > gapSeconds + roundingSeconds,
    )
    if (isNew) moments.push({ ...hit, score })
  }
  return moments
}

type Span = Pick<Hit, 't' | 'until'>

const secondsBetween = (a: Span, b: Span): number => Math.max(0, a.t - b.until, b.t - a.until)

/**
 * The filter of the article that this tool began with, kept for comparison: a hit is accepted when it scores above the
 * threshold and its time differs by more than the gap from the one accepted just before it, whatever the video. The
 * same moment can come up twice when another one scores in between. Of the hits the best 10 · n are looked at.
 *
 * Source: John Robinson, "Video Search Engine Using OpenAI's CLIP".
 *
 * @param hits best first
 */
export const articleFilter = (
  hits: readonly Hit[],
  n = 6,
  thresholdScore = 35,
  gapSeconds = 0.1,
): readonly ScoredHit[] => {
  const accepted: ScoredHit[] = []
  for (const hit of hits.slice(0, 10 * n)) {
    const score = scoreOf(hit)
    const last = accepted.at(-1)
    const differs = last === undefined || Math.abs(hit.t - last.t) > gapSeconds
    if (accepted.length < n && score > thresholdScore && differs) accepted.push({ ...hit, score })
  }
  return accepted
}
