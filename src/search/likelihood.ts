import { dot } from '../store/point.ts'
import { restored } from '../store/profile.ts'
import type { CallOptions, Store, VideoRecord } from '../store/store.ts'
import { once } from './records.ts'

/** What the searched videos look like to any query: what this one has to be better than. */
export type Standard = {
  /** Mean score that a query's embedding reaches over all videos, each of which counts alike. */
  background(vector: Float32Array): number
  /** Where a score lies among the best scores of plain captions in the same videos, 0 to 1. */
  likelihood(score: number): number
  /** The score that has this likelihood (0 to 1): the quantile of the captions' best scores. */
  scoreAt(likelihood: number): number
}

/**
 * @param records of the videos searched
 * @returns `undefined` if none of them has a profile yet
 */
export const standardOf = once((records): Standard | undefined => {
  const profiles = records.flatMap(({ profile }) => (profile ? [profile] : []))
  const [first] = profiles
  if (!first) return undefined
  const mean = new Float64Array(restored(first.mean).length)
  const best = new Float32Array(restored(first.captions).length).fill(-1)
  for (const profile of profiles) {
    for (const [i, x] of restored(profile.mean).entries()) mean[i]! += x / profiles.length
    for (const [i, cosine] of restored(profile.captions).entries()) best[i] = Math.max(best[i]!, cosine)
  }
  const scores = best.map((cosine) => 100 * cosine).sort()
  return {
    background: (vector) => 100 * dot(vector, mean),
    likelihood: (score) => {
      const above = scores.findIndex((each) => each > score)
      if (above < 0) return 1
      if (above === 0) return 0
      const [low, high] = [scores[above - 1]!, scores[above]!]
      return (above - 1 + (score - low) / (high - low)) / (scores.length - 1)
    },
    scoreAt: (likelihood) => {
      const at = likelihood * (scores.length - 1)
      const [low, high] = [scores[Math.floor(at)]!, scores[Math.ceil(at)]!]
      return low + (at % 1) * (high - low)
    },
  }
})

/** Mean and spread (standard deviation) of what a query scores anywhere in the searched videos. */
export type Spread = { readonly meanScore: number; readonly spreadScore: number }

/** Places that are looked at for a spread, and how much of each, in seconds. */
const sampledPlaces = 24
const sampledSeconds = 2

/** Points a place at most. */
const sampledPoints = 500

/**
 * Samples what a query scores: all patches of a few frames at places spread evenly over the videos, each of which counts
 * alike.
 *
 * @returns `undefined` if there is nothing to sample
 */
export const spreadOf = async (
  store: Pick<Store, 'sightings'>,
  vector: Float32Array,
  records: readonly VideoRecord[],
  { signal }: CallOptions,
): Promise<Spread | undefined> => {
  const timed = records.filter(({ durationSeconds }) => durationSeconds !== undefined)
  if (timed.length === 0) return undefined
  const within = Array.from({ length: sampledPlaces }, (_, i) => {
    const at = ((i + 0.5) * timed.length) / sampledPlaces
    const { video, durationSeconds } = timed[Math.floor(at)]!
    // Where there are fewer videos than places, each is looked at in several.
    const from = (timed.length < sampledPlaces ? at % 1 : 0.5) * durationSeconds!
    return { video, from, to: from + sampledSeconds }
  })
  const limit = sampledPlaces * sampledPoints
  const found = await store.sightings(vector, { limit, filter: { within }, exact: true, signal })
  const scores = found.map(({ similarity }) => 100 * similarity)
  if (scores.length === 0) return undefined
  const meanScore = scores.reduce((sum, score) => sum + score, 0) / scores.length
  const variance = scores.reduce((sum, score) => sum + (score - meanScore) ** 2, 0) / scores.length
  return { meanScore, spreadScore: Math.sqrt(variance) }
}
