import { dot } from '../store/point.ts'
import type { Box, CallOptions, PointFilter, Store, Stretch, VideoRecord } from '../store/store.ts'
import { findByArticle } from './article.ts'
import { elsewhere, knownCopies } from './copies.ts'
import { type FoundPart, type Rule, scoreTogether } from './frames.ts'
import { type Standard, spreadOf } from './likelihood.ts'
import { type FoundMoment, findMoments, type Peak } from './moments.ts'
import { type SearchOptions, searchDefaults } from './options.ts'
import { findPhrases } from './phrases.ts'
import { recordsByVideo } from './records.ts'
import { findDistinct } from './repeats.ts'
import type { EncodedStep, Target } from './resolve.ts'
import { scoreOf } from './surroundings.ts'
import { stepSecondsOf } from './timeline.ts'

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
   * example: one of its pictures is as alike as copies are, or its words score at least the cutoff.
   */
  readonly likely: boolean
  /** Number of the peak's patch; 0 is the whole frame. */
  readonly patch: number
  /** The peak's patch. */
  readonly box: Box
  /** Patches of the stretch that fit about as well; of several phrases, frames. */
  readonly hits: number
  /**
   * Where else the same is to be seen: the same file elsewhere, copies that were cut, scaled or encoded again, and other
   * times in the same video.
   */
  readonly also?: readonly OtherPlace[]
  /** Of several phrases: each that is wanted, in the query's order. */
  readonly parts?: readonly MomentPart[]
}

/** Where else the peak of a moment is to be seen. `t`: seconds from the start of the file. */
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

/** What is searched. */
export type Scope = {
  /** Where each video to search lies: the path to show. */
  readonly paths: ReadonlyMap<string, string>
  /** Which videos the store has to search. */
  readonly filter: Pick<PointFilter, 'videos' | 'exceptVideos'>
  readonly records: readonly VideoRecord[]
  /** The records of all videos: what is not searched may be a copy. */
  readonly all: readonly VideoRecord[]
  readonly standard: Standard | undefined
  /** Cosine from which on two pictures show the same. */
  readonly sameFrame: number
}

/** A moment with what decides whether it is likely. */
type Judged = FoundMoment & Pick<Moment, 'likelihood' | 'likely' | 'parts'>

export const find = async (
  store: Store,
  target: Target,
  { filter: videos, records, all, standard, sameFrame }: Scope,
  cutoff: number | undefined,
  options: SearchOptions,
): Promise<{ found: readonly Judged[]; bestScore: number | undefined }> => {
  const { n = searchDefaults.n, afterSeconds, beforeSeconds, signal, likely } = options
  const filter = { ...videos, afterSeconds, beforeSeconds }
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
  const backgroundScore = standard?.background(vector) ?? 0
  const stepSeconds = (video: string) => stepSecondsOf(recordsByVideo(all).get(video))
  const wanted = { ...common, vector, leastScore: least, backgroundScore, stepSeconds, elsewhere: together }
  const found =
    options.filter === 'article'
      ? await findByArticle({
          ...common,
          vector,
          thresholdScore: Math.max(least, options.threshold ?? searchDefaults.articleThreshold),
          gapSeconds: options.gapSeconds ?? searchDefaults.gapSeconds,
        })
      : isExample || options.copies
        ? await findMoments(wanted).best(n)
        : await findDistinct({ ...wanted, sameFrame })
  // With all left out, what there is at best is still worth knowing.
  const best = found[0]?.peak ?? (await store.search(vector, { limit: 1, filter, signal }))[0]
  const bestScore = best && scoreOf(best)
  if (isExample) return { found: likelyFirst(judgedByExample(found, target, isLikely), likely), bestScore }
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

/** What captions reach says nothing about pictures: docs/search.md has what copies reach. */
const judgedByExample = (
  found: readonly FoundMoment<Peak>[],
  { likes, alikeScore, words }: Target & { kind: 'example' },
  isLikely: (score: number) => boolean,
): readonly Judged[] =>
  found.map((moment) => {
    const score = (vector: Float32Array) => 100 * dot(vector, moment.peak.vector)
    const isAlike = likes.some((like) => score(like) >= alikeScore)
    return { ...moment, likelihood: undefined, likely: isAlike || (words !== undefined && isLikely(score(words))) }
  })

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
