import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { expectBelonging } from '../belonging.ts'
import { checkCollectionName } from '../name.ts'
import { checkPoints, checkVector } from '../point.ts'
import {
  beingRemoved,
  type CallOptions,
  type Collection,
  CollectionMissingError,
  type OpenStore,
  type Store,
} from '../store.ts'
import { pointKey } from './columns.ts'
import { loadEngine, storeErrorFrom } from './engine.ts'
import { collectionsIn, createCollection, type Facts, readFacts } from './folder.ts'
import { lockAt } from './lock.ts'
import { type OpenTables, tablesIn } from './opened.ts'
import { pointIdsOf, vectorsOf } from './points.ts'
import { is, nearest } from './search.ts'
import { defaultUpkeep, indexVectors, isUntidy, tidy, type Upkeep } from './upkeep.ts'
import { writerOf } from './writer.ts'

/**
 * Opens one collection of a store that lies in a folder, for one machine and as many of its processes as you like. What
 * the collection is takes a millisecond to know; the engine, which takes a hundred, is loaded by the first call.
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
  const [engine, { createTables }] = await Promise.all([loadEngine(), import('./tables.ts')])
  await createCollection(folder, { name, ...create }, (draft) => createTables(engine, draft, create.dimension))
  // Another process may have been faster: what lies there now counts.
  const created = await readFacts(folder, name)
  if (!created) throw new CollectionMissingError(name, folder, await collectionsIn(folder))
  return created
}

/** @param contents name of the folder within `location` that holds the tables */
const storeIn = (location: string, contents: string, collection: Collection, upkeep: Upkeep): Store => {
  const folder = join(location, contents)
  const tables = tablesIn(folder, upkeep)
  const inTurn = writerOf(lockAt(join(folder, 'writer.lock')))
  let upserts = 0

  const read = <T>(action: (opened: OpenTables) => Promise<T>, { signal }: CallOptions = {}): Promise<T> =>
    translated(location, async () => {
      signal?.throwIfAborted()
      return action(await tables.opened())
    })
  const write = <T>(action: (opened: OpenTables) => Promise<T>, options: CallOptions = {}): Promise<T> =>
    read((opened) => inTurn(() => action(opened), options.signal), options)

  return {
    collection,
    location,
    upsert: async (batch, options) => {
      checkPoints(batch, collection.dimension)
      if (batch.length === 0) return
      const { pointRows, replaceRows } = await import('./tables.ts')
      const rows = pointRows(batch, collection.dimension)
      await write(async ({ points }) => {
        await replaceRows(points, pointKey, rows)
        if (++upserts % upkeep.upsertsBetweenLooks === 0 && (await isUntidy(points, upkeep)))
          await tidy(points, folder, upkeep)
      }, options)
    },
    search: (vector, options) =>
      read(async ({ points, videos, ways }) => {
        checkVector(vector, collection.dimension, 'Query')
        const searched = { table: points, indexed: await ways.isNextIndexed() }
        return nearest(searched, vector, options, videos.all)
      }, options),
    warmUp: () => read(({ ways }) => ways.warmUp()),
    pointIds: (video, options) => read(({ points }) => pointIdsOf(points, video), options),
    vectors: (ids, options) => read(({ points }) => vectorsOf(points, ids), options),
    countPoints: (video, options) =>
      read(({ points }) => points.countRows(video === undefined ? undefined : is('video', video)), options),
    setPath: (video, path, options) =>
      write(async ({ points }) => {
        await points.update({ where: is('video', video), values: { path } })
      }, options),
    deleteVideo: (video, options) =>
      write(async ({ points, videos }) => {
        await videos.change(video, (record) => record && beingRemoved(record))
        await points.delete(is('video', video))
        await videos.delete(video)
      }, options),
    putRecord: (record, options) => write(({ videos }) => videos.put(record), options),
    record: (video, options) => read(({ videos }) => videos.get(video), options),
    changeRecord: (video, change, options) => write(({ videos }) => videos.change(video, change), options),
    records: (options) => read(({ videos }) => videos.all(), options),
    optimize: (options) =>
      write(async ({ engine, points, videos, ways }) => {
        await indexVectors(engine, points, upkeep)
        await tidy(points, folder, upkeep)
        await videos.tidy()
        await ways.look()
      }, options),
    describe: () =>
      read(async ({ points, ways }) => {
        const { indexed, reason } = await ways.look()
        const count = await points.countRows()
        return { engine: 'LanceDB', version: engineVersion(), points: count, exact: true, indexed, search: reason }
      }),
    close: tables.close,
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
