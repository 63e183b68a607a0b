import type { Table } from '@lancedb/lancedb'
import { indexOf, type Upkeep, vectorIndex } from './upkeep.ts'

/** How the points are searched. Both ways are exact: they find the same. */
export type SearchWay = {
  readonly indexed: boolean
  /** Whether the index is in memory by the time that a text is encoded. */
  readonly isIndexSoonHere: boolean
  /** For people: how, since when, why. */
  readonly reason: string
}

/** An index that another process builds is seen after so long. */
const keptMs = 30_000
/** What the index takes in memory besides the vectors. */
const overhead = 1.05
/** An index of 100,000 points of 384 numbers comes into memory in 130 ms, while the text tower takes 200. */
const soonHereBytes = 256 << 20

export type Ways = {
  /** As of now. */
  look(): Promise<SearchWay>
  /** While there is time: brings an index into memory that does not take long. */
  warmUp(): Promise<void>
  /**
   * Whether the next search goes through the index. The first one of a process does only after a warm-up: at a million
   * points a scan takes 1.1 s of a whole `vidgrep search` there, bringing the index into memory 2.3 s. From the second one
   * on that pays.
   */
  isNextIndexed(): Promise<boolean>
}

/** Looks how a table is to be searched, now and then on its own. */
export const waysOf = (table: Table, upkeep: Upkeep): Ways => {
  let known: { readonly way: SearchWay; readonly untilMs: number } | undefined
  /** It is in memory, or the next search brings it there. */
  let isIndexInUse = false
  const look = async (): Promise<SearchWay> => {
    const way = await choose(table, upkeep)
    known = { way, untilMs: performance.now() + keptMs }
    return way
  }
  const recent = async (): Promise<SearchWay> => (known && performance.now() < known.untilMs ? known.way : await look())
  return {
    look,
    warmUp: async () => {
      if (isIndexInUse || !(await recent()).isIndexSoonHere) return
      const use = () => {
        isIndexInUse = true
      }
      // Where it cannot be brought, the search that follows scans.
      await table.prewarmIndex(vectorIndex.name).then(use, () => {})
    },
    isNextIndexed: async () => {
      const isHere = isIndexInUse
      isIndexInUse = true
      return isHere && (await recent()).indexed
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
    return scan(`scan of ${points} points; ${from}`)
  }
  const bytes = (index.sizeBytes ?? 0) * overhead
  if (bytes > indexCacheBytes) {
    const [wanted, allowed] = [bytes, indexCacheBytes].map((size) => `${(size / 1e9).toFixed(1)} GB`)
    return scan(`scan of ${points} points; the index of ${wanted} exceeds ${allowed} of memory`)
  }
  const since = index.createdAt ? `, built ${index.createdAt.toISOString().slice(0, 16).replace('T', ' ')} UTC` : ''
  const outside = index.numUnindexedRows ? `; ${index.numUnindexedRows} newer ones are scanned` : ''
  const reason = `index of ${index.numIndexedRows ?? points} points, all cells${since}${outside}`
  return { indexed: true, isIndexSoonHere: bytes <= soonHereBytes, reason }
}

const scan = (reason: string): SearchWay => ({ indexed: false, isIndexSoonHere: false, reason })
