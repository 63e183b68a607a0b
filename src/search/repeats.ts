import { dot } from '../store/point.ts'
import { type FoundMoment, findMoments, type MomentSearch, type Peak } from './moments.ts'

export type DistinctSearch = MomentSearch & {
  /** Most moments wanted. */
  readonly n: number
  /** Cosine from which on two peaks show the same. */
  readonly sameFrame: number
}

/** Share of moments that are looked for beyond those wanted, as some are repeats: a second round takes longer. */
const expectedRepeats = 0.25

/** How often more is asked for at most, the last times for as many as were repeats. */
const mostRounds = 3

/**
 * Finds moments of which none shows what a better one of the same video shows already: of these the best is taken, with
 * the places of the others. Only where nothing else is left they are moments of their own.
 *
 * @returns best first
 */
export const findDistinct = async ({
  n,
  sameFrame,
  ...search
}: DistinctSearch): Promise<readonly FoundMoment<Peak>[]> => {
  const moments = findMoments(search)
  for (let wanted = Math.ceil(n * (1 + expectedRepeats)), round = 1; ; round++) {
    const found = await moments.best(wanted)
    const groups = groupsOf(found, sameFrame)
    const missing = n - groups.length
    if (missing <= 0 || found.length < wanted || round === mostRounds) return chosen(groups, n)
    wanted += missing
  }
}

/** Moments that show the same, best first. */
type Group = readonly [FoundMoment<Peak>, ...FoundMoment<Peak>[]]

const groupsOf = (found: readonly FoundMoment<Peak>[], sameFrame: number): readonly Group[] => {
  const groups: [FoundMoment<Peak>, ...FoundMoment<Peak>[]][] = []
  for (const moment of found) {
    const { video, peak } = moment
    const repeated = groups.find(([best]) => best.video === video && dot(best.peak.vector, peak.vector) >= sameFrame)
    if (repeated) repeated.push(moment)
    else groups.push([moment])
  }
  return groups
}

const chosen = (groups: readonly Group[], n: number): readonly FoundMoment<Peak>[] => {
  const best = groups.slice(0, n)
  const left = best.flatMap(([, ...repeats]) => repeats).sort((a, b) => b.peak.similarity - a.peak.similarity)
  const alone = new Set(left.slice(0, n - best.length))
  const distinct = best.map(([moment, ...repeats]) => ({
    ...moment,
    repeats: repeats.filter((repeat) => !alone.has(repeat)),
  }))
  return [...distinct, ...alone].sort((a, b) => b.peak.similarity - a.peak.similarity)
}
