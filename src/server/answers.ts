import { LRUCache } from 'lru-cache'
import type { Moment, SearchResult } from '../index.ts'

/** The last answers, so that more of one, or the same again, need not be searched for from the start. */
export type Answers = {
  /**
   * A part of an answer. Parts of one answer follow each other without a gap or the same moment twice, as long as it is
   * kept.
   * @param question all that decides the answer, without the part that is wanted
   * @param search finds the best n moments
   */
  part(question: string, wanted: Part, search: (n: number) => Promise<SearchResult>): Promise<AnswerPart>
}

export type Part = { readonly n: number; readonly offset: number }

export type AnswerPart = SearchResult & {
  /** There is nothing after this part. */
  readonly isLast: boolean
}

/** Moments that are kept, of all answers together: some 20 MB. */
const mostMoments = 20_000

/** How long the same question has the same answer. */
const sameMs = 10_000

/** How long an answer can be continued. */
const continuedMs = 10 * 60_000

type Kept = { readonly found: SearchResult; readonly isAll: boolean; readonly atMs: number }

export const openAnswers = (): Answers => {
  const kept = new LRUCache<string, Kept>({
    maxSize: mostMoments,
    sizeCalculation: ({ found }) => found.moments.length + 1,
    ttl: continuedMs,
  })
  return {
    part: async (question, { n, offset }, search) => {
      const last = offset + n
      const known = kept.get(question)
      const isCurrent = known && (offset > 0 || performance.now() - known.atMs < sameMs)
      if (isCurrent && (known.isAll || known.found.moments.length >= last)) return partOf(known, offset, last)
      const found = await search(last)
      const moments = offset > 0 && known ? continued(known.found.moments, found.moments) : found.moments
      const now = { found: { ...found, moments }, isAll: found.moments.length < last, atMs: performance.now() }
      kept.set(question, now)
      return partOf(now, offset, last)
    },
  }
}

const partOf = ({ found, isAll }: Kept, offset: number, last: number): AnswerPart => ({
  ...found,
  moments: found.moments.slice(offset, last),
  isLast: isAll && found.moments.length <= last,
})

/** What was handed out stays as it was; what a longer search found beside it comes after it. */
const continued = (before: readonly Moment[], longer: readonly Moment[]): readonly Moment[] => {
  const more = longer.filter(
    ({ video, t }) => !before.some((moment) => moment.video === video && moment.from <= t && t <= moment.to),
  )
  return [...before, ...more].map((moment, i) => ({ ...moment, rank: i + 1 }))
}
