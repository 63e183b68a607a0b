import { byRank, checkVector } from '../point.ts'
import type { CallOptions, Hit, SearchOptions, Store } from '../store.ts'
import type { Qdrant, Schemas } from './client.ts'
import { collectionInfo } from './collections.ts'
import { conditionsOf, hitOf, numbersOf, sightingFields, sightingOf } from './points.ts'

/**
 * Collections below this many points are searched point by point: exact, and still some ten milliseconds. From there on
 * they have an index and, by a step of migrations/, numbers of 8 bits.
 */
export const largeFromPoints = 250_000

/**
 * Candidates that the index (HNSW) keeps; more are better and slower. docs/qdrant.md has the figures. Texts are far from
 * all pictures, and need more than pictures do.
 */
const indexWidth = 1024

/**
 * The best by numbers of 8 bits, half as many again as are wanted, are compared once more by the whole vectors: without
 * that scores would be off by some thousandths. Collections without such numbers take no notice.
 */
const quantization = { rescore: true, oversampling: 1.5 }

/** How long a collection's size is taken as known, in milliseconds. */
const sizeKeptMs = 60_000

/** Most hits that are asked for in order to put equally good ones around the limit in order. */
const mostTies = 16_384

/**
 * Where a filter leaves less than 40% of the points, neighbours of neighbours are looked at too (ACORN, Qdrant 1.16):
 * those that are left are no connected graph. The server takes it for filtered searches only.
 */
const acorn = { enable: true }

export type Searcher = Pick<Store, 'search' | 'sightings'> & {
  /** Whether searches are exact at the collection's present size. */
  isExact(options: CallOptions): Promise<boolean>
}

/** @param dimension of the collection's vectors */
export const searcher = (qdrant: Qdrant, name: string, dimension: number): Searcher => {
  let known = { exact: true, untilMs: 0 }
  const isExact = async (options: CallOptions): Promise<boolean> => {
    if (performance.now() < known.untilMs) return known.exact
    const info = await collectionInfo(qdrant, name, options)
    known = { exact: (info?.points_count ?? 0) < largeFromPoints, untilMs: performance.now() + sizeKeptMs }
    return known.exact
  }
  /** What is asked for so many points; `undefined`: nothing can match. */
  const requestFor = async (vector: Float32Array, { limit, filter = {}, exact, signal }: SearchOptions) => {
    checkVector(vector, dimension, 'Query')
    if (limit < 1 || filter.videos?.length === 0 || filter.within?.length === 0) return undefined
    const request = { query: numbersOf(vector), filter: conditionsOf(filter) }
    const isExactNow = exact || (await isExact({ signal }))
    return (count: number) => ({ ...request, ...paramsFor(isExactNow, count), with_vector: false })
  }
  const ask = async (request: Schemas['QueryRequest'], { signal }: CallOptions) =>
    (await qdrant.ask((api, init) => api.queryPoints({ ...request, collection_name: name }, init), { signal })).points
  return {
    isExact,
    search: async (vector, options) => {
      const request = await requestFor(vector, options)
      if (!request) return []
      const best = async (count: number) =>
        (await ask({ ...request(count), with_payload: true }, options)).map(hitOf).sort(byRank)
      return untied(best, options.limit)
    },
    sightings: async (vector, options) => {
      const request = await requestFor(vector, options)
      return request
        ? (await ask({ ...request(options.limit), with_payload: sightingFields }, options)).map(sightingOf)
        : []
    },
  }
}

const paramsFor = (exact: boolean, limit: number) => ({
  limit,
  params: exact ? { exact } : { hnsw_ef: Math.max(indexWidth, 2 * limit), quantization, acorn },
})

/** Asks for more until the best hit left out is worse than the last one taken: the server cuts ties anywhere. */
const untied = async (best: (count: number) => Promise<Hit[]>, limit: number): Promise<readonly Hit[]> => {
  for (let count = limit + 1; ; count *= 2) {
    const hits = await best(count)
    const allThere = hits.length < count || count > mostTies
    if (allThere || hits.at(-1)!.similarity < hits[limit - 1]!.similarity) return hits.slice(0, limit)
  }
}
