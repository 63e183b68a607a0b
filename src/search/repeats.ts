import { dot } from '../store/point.ts'
import type { Store } from '../store/store.ts'
import { type FoundMoment, findMoments, type MomentSearch } from './moments.ts'

export type DistinctSearch = Omit<MomentSearch, 'store' | 'known'> & {
  readonly store: MomentSearch['store'] & Pick<Store, 'vectors'>
  /** Cosine from which on two peaks show the same. */
  readonly sameFrame: number
}

/** Share of moments that are looked for beyond those wanted, as some are repeats: a second round takes longer. */
const expectedRepeats = 0.25

/** Calls of {@link findMoments} at most: the last ones for as many as were repeats. */
const mostRounds = 3

/**
 * Finds moments of which none shows what a better one of the same video shows already: of these the best is taken, with
 * the places of the others. Only where nothing else is left they are moments of their own.
 *
 * @returns best first
 */
export const findDistinct = async (search: DistinctSearch): Promise<readonly FoundMoment[]> => {
  const { n } = search
  const vectors = new Map<string, Float32Array>()
  let found: readonly FoundMoment[] = []
  for (let wanted = Math.ceil(n * (1 + expectedRepeats)), round = 1; ; round++) {
    found = await findMoments({ ...search, n: wanted, known: found })
    const groups = await groupsOf(found, vectors, search)
    const missing = n - groups.length
    if (missing <= 0 || found.length < wanted || round === mostRounds) return chosen(groups, n)
    wanted += missing
  }
}

/** Moments that show the same, best first. */
type Group = readonly [FoundMoment, ...FoundMoment[]]

const groupsOf = async (
  found: readonly FoundMoment[],
  vectors: Map<string, Float32Array>,
  { store, sameFrame, signal }: DistinctSearch,
): Promise<readonly Group[]> => {
  const ofVideo = (video: string) => found.filter((moment) => moment.video === video)
  // A moment that is the only one of its video repeats none.
  const unknown = found.filter(({ video, peak }) => !vectors.has(peak.id) && ofVideo(video).length > 1)
  if (unknown.length > 0) {
    const more = await store.vectors(
      unknown.map(({ peak }) => peak.id),
      { signal },
    )
    for (const [id, vector] of more) vectors.set(id, vector)
  }
  const groups: [FoundMoment, ...FoundMoment[]][] = []
  for (const moment of found) {
    const vector = vectors.get(moment.peak.id)
    const repeated = groups.find(([{ video, peak }]) => {
      const other = vectors.get(peak.id)
      return video === moment.video && vector && other && dot(vector, other) >= sameFrame
    })
    if (repeated) repeated.push(moment)
    else groups.push([moment])
  }
  return groups
}

const chosen = (groups: readonly Group[], n: number): readonly FoundMoment[] => {
  const best = groups.slice(0, n)
  const left = best.flatMap(([, ...repeats]) => repeats).sort((a, b) => b.peak.similarity - a.peak.similarity)
  const alone = new Set(left.slice(0, n - best.length))
  const distinct = best.map(([moment, ...repeats]) => ({
    ...moment,
    repeats: repeats.filter((repeat) => !alone.has(repeat)),
  }))
  return [...distinct, ...alone].sort((a, b) => b.peak.similarity - a.peak.similarity)
}
