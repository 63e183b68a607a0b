import type { Hit, Store } from '../store/store.ts'
import { type FoundMoment, hitsPerMoment, type MomentSearch, type Peak, withPeaks } from './moments.ts'
import { scoreOf } from './surroundings.ts'

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

/** What the article does, with one search of the store. */
export const findByArticle = async ({
  store,
  vector,
  filter,
  signal,
  ...options
}: Pick<MomentSearch, 'vector' | 'filter' | 'signal'> & {
  readonly store: Pick<Store, 'search' | 'points'>
  /** Most moments wanted. */
  readonly n: number
  readonly thresholdScore: number
  readonly gapSeconds: number
}): Promise<readonly FoundMoment<Peak>[]> => {
  const hits = await store.search(vector, { limit: options.n * hitsPerMoment, filter, signal })
  const moments = articleFilter(hits, options).map((peak) => ({
    video: peak.video,
    from: peak.t,
    to: peak.until,
    peak,
    hits: 1,
  }))
  return withPeaks(moments, { store, signal })
}
