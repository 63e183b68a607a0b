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

/** The index sorts points into cells and keeps their full vectors there: within the cells searched it is exact. */
export const vectorIndex = { column: 'vector', name: 'vector_idx', distanceType: 'cosine' } as const
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
export const indexOf = async (table: Table): Promise<IndexConfig | undefined> =>
  (await table.listIndices()).find(({ name }) => name === vectorIndex.name)

/** Builds the index that a collection deserves, if it has none. Needs the lock. */
export const indexVectors = async (engine: Engine, table: Table, { indexFromPoints }: Upkeep): Promise<void> => {
  const points = await table.countRows()
  if (points < indexFromPoints || (await indexOf(table))) return
  const { column, name, distanceType } = vectorIndex
  const numPartitions = Math.max(1, Math.round(points / pointsPerCell))
  await table.createIndex(column, { config: engine.Index.ivfFlat({ numPartitions, distanceType }), name })
}
