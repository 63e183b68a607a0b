import type { Table } from '@lancedb/lancedb'
import { indexOf, type Upkeep } from './upkeep.ts'

/** How the points are searched. Both ways are exact: they find the same. */
export type SearchWay = {
  readonly indexed: boolean
  /** For people: how, since when, why. */
  readonly reason: string
}

/** An index that another process builds is seen after so long. */
const keptMs = 30_000
/** What the index takes in memory besides the vectors. */
const overhead = 1.05

export type Ways = {
  /** As of now. */
  look(): Promise<SearchWay>
  /**
   * Whether the next search goes through the index. The first one of a process does not: at a million points a scan takes
   * 1.1 s of a whole `vidgrep search` there, bringing the index into memory 2.3 s. From the second one on that pays.
   */
  isNextIndexed(): Promise<boolean>
}

/** Looks how a table is to be searched, now and then on its own. */
export const waysOf = (table: Table, upkeep: Upkeep): Ways => {
  let known: { readonly way: SearchWay; readonly untilMs: number } | undefined
  let searches = 0
  const look = async (): Promise<SearchWay> => {
    const way = await choose(table, upkeep)
    known = { way, untilMs: performance.now() + keptMs }
    return way
  }
  return {
    look,
    isNextIndexed: async () => {
      if (searches++ === 0) return false
      const way = known && performance.now() < known.untilMs ? known.way : await look()
      return way.indexed
    },
  }
}

/**
 * All cells of an index are read with each search, so it pays only if they stay in memory: read from disk again and again
 * they take longer than a scan.
 */
const choose = async (table: Table, { indexFromPoints, indexCacheBytes }: Upkeep): Promise<SearchWay> => {
  const [index, points] = await Promise.all([indexOf(table), table.countRows()])
  if (!index) {
    const from = `an index is built from ${indexFromPoints} points on`
    return { indexed: false, reason: `scan of ${points} points; ${from}` }
  }
  const bytes = (index.sizeBytes ?? 0) * overhead
  if (bytes > indexCacheBytes) {
    const [wanted, allowed] = [bytes, indexCacheBytes].map((size) => `${(size / 1e9).toFixed(1)} GB`)
    return { indexed: false, reason: `scan of ${points} points; the index of ${wanted} exceeds ${allowed} of memory` }
  }
  const since = index.createdAt ? `, built ${index.createdAt.toISOString().slice(0, 16).replace('T', ' ')} UTC` : ''
  const outside = index.numUnindexedRows ? `; ${index.numUnindexedRows} newer ones are scanned` : ''
  return { indexed: true, reason: `index of ${index.numIndexedRows ?? points} points, all cells${since}${outside}` }
}
