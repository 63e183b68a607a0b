import type { CallOptions, Hit, Sighting, Store, Stretch } from '../store/store.ts'
import type { FoundMoment } from './moments.ts'
import type { EncodedStep } from './resolve.ts'
import { keptHeight, mostPoints, overlaps, reachSeconds, scoreOf } from './surroundings.ts'

/** A step with what its phrases score by chance. */
export type Rule = EncodedStep & {
  /** What the step scores on average over the searched videos. */
  readonly backgroundScore: number
  /** Of each unwanted phrase the score up to which it does no harm. */
  readonly allowedScores: readonly number[]
}

/** One phrase of a moment, where it is seen best. */
export type FoundPart<Seen = Hit> = {
  readonly text: string
  /** Number of its step, from 0. */
  readonly step: number
  readonly hit: Seen
}

export type FoundTogether<Seen = Hit> = FoundMoment<Seen> & {
  /** What is wanted, in the query's order. */
  readonly parts: readonly FoundPart<Seen>[]
  /** What the worst of the wanted phrases scores, less what unwanted ones take away: if that is likely, all is. */
  readonly weakestScore: number
}

/** Score by which an unwanted phrase lowers a frame, for each that it exceeds what is allowed. */
const penalty = 0.8

/** How far around a frame unwanted things count, in seconds. */
const nearSeconds = 2

/** What phrases that are wanted together score: their weighted mean, the text of all of them among them. */
export const scoreTogether = ({ wanted, together }: EncodedStep, scores: readonly number[]): number => {
  const weights = wanted.map(({ weight }) => weight)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const all = together ? [...weights, total / weights.length] : weights
  const weighted = all.reduce((sum, weight, i) => sum + weight * scores[i]!, 0)
  return weighted / all.reduce((sum, weight) => sum + weight, 0)
}

/** All frames of a stretch, with what each step scores in them. */
export type Frames = {
  readonly video: string
  /** In seconds, ascending. */
  readonly times: readonly number[]
  /** By step. */
  readonly steps: readonly StepFrames[]
}

type StepFrames = {
  /** By frame. */
  readonly scores: readonly number[]
  readonly weakest: readonly number[]
  /** By wanted phrase, then by frame. */
  readonly hits: readonly (readonly Sighting[])[]
}

type FrameSearch = CallOptions & { readonly store: Pick<Store, 'sightings'>; readonly rules: readonly Rule[] }

/** Reads what all phrases score in all frames of some stretches: one call of the store for each phrase. */
export const readFrames = async (
  stretches: readonly Stretch[],
  { store, rules, signal }: FrameSearch,
): Promise<readonly Frames[]> => {
  const limit = mostPoints * stretches.length
  const all = (vector: Float32Array) => store.sightings(vector, { limit, filter: { within: stretches }, signal })
  const lists = await Promise.all(rules.map((rule) => Promise.all(vectorsOf(rule).map(all))))
  if (stretches.length > 1 && lists.flat().some(({ length }) => length === limit)) {
    // One stretch could have taken the room of the others.
    const alone = stretches.map((stretch) => readFrames([stretch], { store, rules, signal }))
    return (await Promise.all(alone)).flat()
  }
  return stretches.map((stretch) => {
    const { video, from, to } = stretch
    const seen = lists.map((ofRule) => ofRule.map((sightings) => sightings.filter((each) => overlaps(stretch, each))))
    const times = [...new Set(seen[0]![0]!.flatMap(({ t, until }) => [t, until]))]
      .filter((t) => t >= from && t <= to)
      .sort((a, b) => a - b)
    return { video, times, steps: rules.map((rule, i) => framesOf(rule, seen[i]!, times)) }
  })
}

const vectorsOf = ({ wanted, together, unwanted }: Rule): readonly Float32Array[] => [
  ...wanted.map(({ vector }) => vector),
  ...(together ? [together] : []),
  ...unwanted.map(({ vector }) => vector),
]

const framesOf = (rule: Rule, lists: readonly (readonly Sighting[])[], times: readonly number[]): StepFrames => {
  const { wanted, unwanted, allowedScores } = rule
  const best = lists.map((hits) => bestAt(times, hits))
  const bad = best.slice(best.length - unwanted.length)
  const good = best.slice(0, best.length - unwanted.length)
  const lowered = times.map((time) =>
    unwanted.reduce((sum, { weight }, k) => {
      const near = bad[k]!.filter((_, i) => Math.abs(times[i]! - time) <= nearSeconds)
      const excess = Math.max(...near.map(scoreOf)) - allowedScores[k]!
      return sum + weight * penalty * Math.max(0, excess)
    }, 0),
  )
  const scoreAt = (i: number) => good.map((hits) => scoreOf(hits[i]!))
  return {
    scores: times.map((_, i) => scoreTogether(rule, scoreAt(i)) - lowered[i]!),
    weakest: times.map((_, i) => Math.min(...scoreAt(i).slice(0, wanted.length)) - lowered[i]!),
    hits: good.slice(0, wanted.length),
  }
}

/**
 * The best hit that is seen at each time; the worst hit of all where there are more points than can be asked for.
 *
 * @param times ascending
 * @param hits best first
 */
export const bestAt = (times: readonly number[], hits: readonly Sighting[]): readonly Sighting[] => {
  const best = new Array<Sighting | undefined>(times.length)
  // Leads past the times that have their hit, as the best come first: a window may have 20,000 hits.
  const next = Int32Array.from({ length: times.length + 1 }, (_, i) => i)
  const openFrom = (i: number): number => {
    let at = i
    while (next[at] !== at) {
      next[at] = next[next[at]!]!
      at = next[at]!
    }
    return at
  }
  for (const hit of hits) {
    for (let i = openFrom(firstFrom(times, hit.t)); i < times.length && times[i]! <= hit.until; i = openFrom(i)) {
      best[i] = hit
      next[i] = i + 1
    }
  }
  return Array.from(best, (hit) => hit ?? hits.at(-1)!)
}

/** Index of the first of the sorted times at or after `t`. */
const firstFrom = (times: readonly number[], t: number): number => {
  let [low, high] = [0, times.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! < t) low = middle + 1
    else high = middle
  }
  return low
}

type Limits = { readonly rules: readonly Rule[]; readonly withinSeconds: number }

/**
 * The moments that reach into a tile and into none of those found before, best first.
 *
 * @param frames of the tile and of what a moment of it may reach into
 */
export const momentsIn = (
  tile: Stretch,
  frames: Frames,
  limits: Limits,
  found: readonly FoundTogether<Sighting>[],
): readonly FoundTogether<Sighting>[] => {
  const { video, times } = frames
  const taken: Stretch[] = found.filter((moment) => moment.video === video)
  const moments: FoundTogether<Sighting>[] = []
  for (const chain of chainsOf(frames, limits.withinSeconds)) {
    const [from, to] = [times[chain.frames[0]!]!, times[chain.frames.at(-1)!]!]
    if (taken.some((other) => other.from <= to && other.to >= from)) continue
    const moment = grow(chain, frames, limits.rules, taken)
    taken.push(moment)
    if (moment.from < tile.to && moment.to >= tile.from) moments.push(moment)
  }
  return moments
}

/** A frame for each step, each later than the one before. */
type Chain = { readonly frames: readonly number[]; readonly score: number }

/** Of each frame that the last step may fall on the best chain, best first. */
const chainsOf = ({ times, steps: [first, ...later] }: Frames, withinSeconds: number): readonly Chain[] => {
  let chains: (Chain | undefined)[] = first!.scores.map((score, i) => ({ frames: [i], score }))
  for (const { scores } of later) {
    const before = chains
    chains = scores.map((score, i) => {
      let best: Chain | undefined
      for (let j = i - 1; j >= 0 && times[i]! - times[j]! <= withinSeconds; j--) {
        const chain = before[j]
        if (chain && (!best || chain.score > best.score)) best = chain
      }
      return best && { frames: [...best.frames, i], score: best.score + score }
    })
  }
  return chains
    .filter((chain) => chain !== undefined)
    .map(({ frames, score }) => ({ frames, score: score / (1 + later.length) }))
    .sort((a, b) => b.score - a.score)
}

/** From the first step's frame backwards and from the last one's on, as far as each keeps its height. */
const grow = (
  { frames: chain, score }: Chain,
  { video, times, steps }: Frames,
  rules: readonly Rule[],
  taken: readonly Stretch[],
): FoundTogether<Sighting> => {
  const isHigh = (step: number) => {
    const { backgroundScore } = rules[step]!
    const { scores } = steps[step]!
    const level = backgroundScore + keptHeight * (scores[chain[step]!]! - backgroundScore)
    return (time: number) => scores[firstFrom(times, time)]! >= level
  }
  const [first, last] = [times[chain[0]!]!, times[chain.at(-1)!]!]
  const start = Math.max(...taken.map(({ to }) => (to < first ? to : Number.NEGATIVE_INFINITY)))
  const end = Math.min(...taken.map(({ from }) => (from > last ? from : Number.POSITIVE_INFINITY)))
  const before = times.filter((time) => time > start && time >= first - reachSeconds && time < first).reverse()
  const after = times.filter((time) => time > last && time <= last + reachSeconds && time < end)
  const from = reach(before, isHigh(0)) ?? first
  const to = reach(after, isHigh(steps.length - 1)) ?? last
  const parts = steps.flatMap(({ hits }, step) =>
    rules[step]!.wanted.map(({ text }, k): FoundPart<Sighting> => {
      const frame = chain[step]!
      return { text, step, hit: { ...hits[k]![frame]!, t: times[frame]!, until: times[frame]! } }
    }),
  )
  return {
    video,
    from,
    to,
    peak: { ...parts[0]!.hit, similarity: score / 100 },
    hits: times.filter((time) => time >= from && time <= to && isHigh(0)(time)).length,
    parts,
    weakestScore: Math.min(...steps.map(({ weakest }, step) => weakest[chain[step]!]!)),
  }
}

/** The last of the times, nearest first, that is reached over at most one low one. */
const reach = (times: readonly number[], isHigh: (at: number) => boolean): number | undefined => {
  let reached: number | undefined
  let low = 0
  for (const at of times) {
    low = isHigh(at) ? 0 : low + 1
    if (low > 1) break
    if (low === 0) reached = at
  }
  return reached
}
