import { restored } from '../store/profile.ts'
import type { CallOptions, Store, VideoRecord } from '../store/store.ts'

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
export const standardOf = (records: readonly VideoRecord[]): Standard | undefined => {
  const profiles = records.flatMap(({ profile }) => (profile ? [profile] : []))
  if (profiles.length === 0) return undefined
  const means = profiles.map(({ mean }) => restored(mean))
  const mean = means[0]!.map((_, i) => means.reduce((sum, each) => sum + each[i]!, 0) / means.length)
  const captions = profiles.map((profile) => restored(profile.captions))
  const best = captions[0]!.map((_, i) => captions.reduce((most, each) => Math.max(most, each[i]!), -1))
  const scores = best.map((cosine) => 100 * cosine).sort()
  return {
    background: (vector) => 100 * vector.reduce((sum, x, i) => sum + x * mean[i]!, 0),
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
}

/** How long records count as known, in milliseconds. */
const recordsKeptMs = 10_000

const kept = new WeakMap<object, { readonly untilMs: number; readonly records: Promise<readonly VideoRecord[]> }>()

/** The records of a store, at most ten seconds old: a server that is asked every second need not read them every time. */
export const recentRecords = (store: Pick<Store, 'records'>, options: CallOptions): Promise<readonly VideoRecord[]> => {
  const known = kept.get(store)
  if (known && performance.now() < known.untilMs) return known.records
  const records = store.records(options)
  kept.set(store, { untilMs: performance.now() + recordsKeptMs, records })
  // What failed, or had nothing to tell yet, is asked again.
  records.then(
    (all) => all.some(({ profile }) => profile) || kept.delete(store),
    () => kept.delete(store),
  )
  return records
}
