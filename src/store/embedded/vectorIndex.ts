import { readdir, rmdir } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import type { IndexConfig, Table } from '@lancedb/lancedb'
import type { Engine } from './engine.ts'

/** When the folder is tidied. */
export type Upkeep = {
  /** Upserts of one process between two looks at the table. */
  readonly upsertsBetweenLooks: number
  /** Small files of points that may pile up before they are put together; more of them in a large collection. */
  readonly mostSmallFragments: number
  /** How long old versions stay for those who are reading them, in milliseconds. */
  readonly keepVersionsMs: number
  /** From so many points on, search goes through an index; it takes as much room again as the vectors. */
  readonly indexFromPoints: number
  /** Bytes of the index that a process may keep in memory: a larger index is not used. */
  readonly indexCacheBytes: number
}

/** What a container may use of the machine's memory, if there is one. */
const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)

export const defaultUpkeep: Upkeep = {
  upsertsBetweenLooks: 32,
  mostSmallFragments: 64,
  keepVersionsMs: 120_000,
  // A scan takes 10 ms there, and an index a second to build.
  indexFromPoints: 50_000,
  indexCacheBytes: Math.floor(memoryBytes / 2),
}

/**
 * The index sorts points into cells and keeps their full vectors there: within the cells searched it is exact. For unit
 * vectors the dot product is the cosine, and takes a third less time.
 */
const vectorIndex = { column: 'vector', name: 'vector_idx', distanceType: 'dot' } as const
/** What an index measures: one that an older version built measures cosines. */
export type Metric = 'dot' | 'cosine'
const pointsPerCell = 4096

/**
 * Puts small files together, brings the indexes up to date, drops old versions. Needs the lock.
 * @param folder the one that holds the table's folder
 */
export const tidy = async (table: Table, folder: string, { keepVersionsMs }: Upkeep): Promise<void> => {
  await table.optimize({ cleanupOlderThan: new Date(Date.now() - keepVersionsMs) })
  // The engine removes the files of an old index, and leaves its folder.
  const indexes = join(folder, `${table.name}.lance`, '_indices')
  const left = await readdir(indexes).catch(() => [])
  await Promise.all(left.map((name) => rmdir(join(indexes, name)).catch(() => {})))
}

/**
 * Putting files together writes all points again. With a number of files that grows with the points, loading a million
 * of them in batches of 256 writes each one some ten times; with a fixed one it was sixty times, and 27 GB lay there.
 */
const pointsPerSmallFragment = 2048

export const isUntidy = async (table: Table, { mostSmallFragments }: Upkeep): Promise<boolean> => {
  const { fragmentStats, numRows } = await table.stats()
  return fragmentStats.numSmallFragments > Math.max(mostSmallFragments, numRows / pointsPerSmallFragment)
}

/** The index that is there, whoever built it. */
const indexOf = async (table: Table): Promise<IndexConfig | undefined> =>
  (await table.listIndices()).find(({ name }) => name === vectorIndex.name)

/** Builds the index that a collection deserves, if it has none. Needs the lock. */
export const indexVectors = async (engine: Engine, table: Table, { indexFromPoints }: Upkeep): Promise<void> => {
  const points = await table.countRows()
  if (points < indexFromPoints || (await indexOf(table))) return
  const { column, name, distanceType } = vectorIndex
  const numPartitions = Math.max(1, Math.round(points / pointsPerCell))
  await table.createIndex(column, { config: engine.Index.ivfFlat({ numPartitions, distanceType }), name })
}

/** How the points are searched. Both ways are exact: they find the same. */
type SearchWay = {
  /** What the index measures; `undefined`: there is none to go through. */
  readonly index: Metric | undefined
  /** Whether the index is in memory by the time that a text is encoded. */
  readonly isIndexSoonHere: boolean
  /** For people: how, since when, why. */
  readonly reason: string
}

/** An index that another process builds is seen after so long. */
const keptMs = 30_000
/** What the index takes in memory besides the vectors. */
const overhead = 1.05
/** An index of 100,000 points of 384 dimensions comes into memory in 130 ms, while the text tower takes 200. */
const soonHereBytes = 256 << 20

export type Ways = {
  /** As of now. */
  look(): Promise<SearchWay>
  /** While there is time: brings an index into memory that does not take long. */
  warmUp(): Promise<void>
  /**
   * What the index measures if the next search goes through it. The first one of a process does only after a warm-up: at a million
   * points a scan takes 1.1 s of a whole `vidgrep search` there, bringing the index into memory 2.3 s. From the second one
   * on that pays.
   */
  nextIndex(): Promise<Metric | undefined>
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
    nextIndex: async () => {
      const isHere = isIndexInUse
      isIndexInUse = true
      return isHere ? (await recent()).index : undefined
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
  const metric = index.indexDetails?.metric_type === 'COSINE' ? 'cosine' : 'dot'
  return { index: metric, isIndexSoonHere: bytes <= soonHereBytes, reason }
}

const scan = (reason: string): SearchWay => ({ index: undefined, isIndexSoonHere: false, reason })
