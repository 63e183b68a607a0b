import { basename } from 'node:path'
import { openEncoder } from '../src/encoder/encoder.ts'
import type { Index } from '../src/index.ts'
import type { Hit } from '../src/store/store.ts'
import type { Query } from './clips.ts'

/** How often the right video is found, in percent of the queries; `mrr` is the mean of 1/rank, 0–1. */
export type Recall = {
  readonly recallAt1: number
  readonly recallAt5: number
  readonly recallAt10: number
  readonly mrr: number
}

/** @param orders for each query the paths of the videos, best first */
export const recallOf = (queries: readonly Query[], orders: readonly (readonly string[])[]): Recall => {
  const ranks = queries.map(({ file }, i) => orders[i]!.map((path) => basename(path)).indexOf(file) + 1)
  const share = (most: number) => (100 * ranks.filter((rank) => rank > 0 && rank <= most).length) / ranks.length
  const mrr = ranks.reduce((sum, rank) => sum + (rank > 0 ? 1 / rank : 0), 0) / ranks.length
  return { recallAt1: share(1), recallAt5: share(5), recallAt10: share(10), mrr }
}

/** All points of the collection for each query, best first. */
export const allHits = async (index: Index, queries: readonly Query[]): Promise<readonly (readonly Hit[])[]> => {
  const store = index.store!
  const encoder = await openEncoder(index.model)
  try {
    const vectors = await encoder.encodeTexts(queries.map(({ text }) => text))
    const limit = await store.countPoints()
    return await Promise.all(vectors.map((vector) => store.search(vector, { limit })))
  } finally {
    await encoder.close()
  }
}

/** Videos by their best point. */
export const orderOf = (hits: readonly Hit[]): readonly string[] => [...new Set(hits.map(({ path }) => path))]
