import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { expectBelonging } from '../belonging.ts'
import { checkCollectionName } from '../name.ts'
import { checkPoints, checkVector } from '../point.ts'
import { type CallOptions, type Collection, CollectionMissingError, type OpenStore, type Store } from '../store.ts'
import { loadEngine, storeErrorFrom } from './engine.ts'
import { collectionsIn, createCollection, type Facts, readFacts } from './folder.ts'
import { lockAt } from './lock.ts'
import { pointIdsOf, vectorsOf } from './points.ts'
import { is, nearest } from './search.ts'
import { createTables, pointKey, pointRows, pointsTable, replaceRows, videosTable } from './tables.ts'
import { defaultUpkeep, indexVectors, isIndexed, isUntidy, tidy, type Upkeep } from './upkeep.ts'
import { recordsIn } from './videos.ts'
import { writerOf } from './writer.ts'

/**
 * Opens one collection of a store that lies in a folder, for one machine and as many of its processes as you like.
 * @param upkeep when the folder is tidied; for tests and measurements
 * @throws StoreError
 */
export const openEmbeddedStore = async (
  folder: string,
  { collection: name, create, signal }: OpenStore,
  upkeep: Upkeep = defaultUpkeep,
): Promise<Store> => {
  checkCollectionName(name)
  signal?.throwIfAborted()
  const location = resolve(folder)
  return translated(location, async () => {
    const found = await findOrCreate(location, name, create)
    expectBelonging(found, create)
    const { contents = name, replaced: _, ...collection } = found
    return storeIn(location, contents, collection, upkeep)
  })
}

/** Names of the collections in a folder, sorted. */
export const embeddedCollections = async (folder: string): Promise<string[]> =>
  translated(resolve(folder), () => collectionsIn(resolve(folder)))

const findOrCreate = async (folder: string, name: string, create: OpenStore['create']): Promise<Facts> => {
  const known = await readFacts(folder, name)
  if (known) return known
  if (!create) throw new CollectionMissingError(name, folder, await collectionsIn(folder))
  const engine = await loadEngine()
  await createCollection(folder, { name, ...create }, (draft) => createTables(engine, draft, create.dimension))
  // Another process may have been faster: what lies there now counts.
  const created = await readFacts(folder, name)
  if (!created) throw new CollectionMissingError(name, folder, await collectionsIn(folder))
  return created
}

/**
 * What a process may keep of the vector index and of the files' descriptions, in bytes: the index of 700,000 points of
 * 384 numbers. Left to itself the engine keeps up to 7 GB.
 */
const caches = [1024n << 20n, 128n << 20n] as const

/** @param contents name of the folder within `location` that holds the tables */
const storeIn = async (location: string, contents: string, collection: Collection, upkeep: Upkeep): Promise<Store> => {
  const engine = await loadEngine()
  const folder = join(location, contents)
  // 0: every read looks for what other processes wrote.
  const database = await engine.connect(folder, { readConsistencyInterval: 0 }, new engine.Session(...caches))
  const points = await database.openTable(pointsTable)
  const videos = recordsIn(await database.openTable(videosTable), folder, upkeep)
  const inTurn = writerOf(lockAt(join(folder, 'writer.lock')))
  let upserts = 0

  const read = <T>(action: () => Promise<T>, { signal }: CallOptions = {}): Promise<T> =>
    translated(location, async () => {
      signal?.throwIfAborted()
      return action()
    })
  const write = <T>(action: () => Promise<T>, options: CallOptions = {}): Promise<T> =>
    read(() => inTurn(action, options.signal), options)

  return {
    collection,
    location,
    upsert: (batch, options) =>
      read(async () => {
        checkPoints(batch, collection.dimension)
        if (batch.length === 0) return
        const rows = pointRows(batch, collection.dimension)
        await write(async () => {
          await replaceRows(points, pointKey, rows)
          if (++upserts % upkeep.upsertsBetweenLooks === 0 && (await isUntidy(points, upkeep)))
            await tidy(points, folder, upkeep)
        }, options)
      }, options),
    search: (vector, options) =>
      read(async () => {
        checkVector(vector, collection.dimension, 'Query')
        return nearest(points, vector, options, videos.all)
      }, options),
    pointIds: (video, options) => read(() => pointIdsOf(points, video), options),
    vectors: (ids, options) => read(() => vectorsOf(points, ids), options),
    countPoints: (video, options) =>
      read(() => points.countRows(video === undefined ? undefined : is('video', video)), options),
    setPath: (video, path, options) =>
      write(async () => {
        await points.update({ where: is('video', video), values: { path } })
      }, options),
    deleteVideo: (video, options) =>
      write(async () => {
        await points.delete(is('video', video))
        await videos.delete(video)
      }, options),
    putRecord: (record, options) => write(() => videos.put(record), options),
    record: (video, options) => read(() => videos.get(video), options),
    changeRecord: (video, change, options) => write(() => videos.change(video, change), options),
    records: (options) => read(videos.all, options),
    optimize: (options) =>
      write(async () => {
        await indexVectors(engine, points, upkeep)
        await tidy(points, folder, upkeep)
        await videos.tidy()
      }, options),
    describe: () =>
      read(async () => {
        const indexed = await isIndexed(points)
        return { engine: 'LanceDB', version: engineVersion(), points: await points.countRows(), exact: true, indexed }
      }),
    close: async () => {
      points.close()
      videos.close()
      database.close()
    },
  }
}

const translated = async <T>(folder: string, action: () => Promise<T>): Promise<T> => {
  try {
    return await action()
  } catch (error) {
    throw storeErrorFrom(error, folder)
  }
}

/** The package hides its package.json; it lies beside the folder of its main file. */
const engineVersion = (): string => {
  const require = createRequire(import.meta.url)
  return require(join(require.resolve('@lancedb/lancedb'), '..', '..', 'package.json')).version
}
