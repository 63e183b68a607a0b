import type { Table } from '@lancedb/lancedb'
import { is, oneOf } from './search.ts'

/** Ids a query: keeps its SQL at some 40 kB. */
const idsPerQuery = 1000

export const pointIdsOf = async (points: Table, video: string): Promise<Set<string>> => {
  const ids = new Set<string>()
  for await (const batch of points.query().where(is('video', video)).select(['id'])) {
    for (const id of batch.getChild('id')!) ids.add(id)
  }
  return ids
}

export const vectorsOf = async (points: Table, ids: readonly string[]): Promise<Map<string, Float32Array>> => {
  const found = new Map<string, Float32Array>()
  for (let at = 0; at < ids.length; at += idsPerQuery) {
    const where = oneOf('id', ids.slice(at, at + idsPerQuery))
    for await (const batch of points.query().where(where).select(['id', 'vector'])) {
      const vectors = batch.getChild('vector')!
      // A copy: the engine's memory holds the whole batch.
      for (const [row, id] of [...batch.getChild('id')!].entries()) found.set(id, vectors.get(row).toArray().slice())
    }
  }
  return found
}
