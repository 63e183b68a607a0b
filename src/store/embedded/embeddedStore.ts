import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import type { Table } from '@lancedb/lancedb'
import type { Table as ArrowTable } from 'apache-arrow'
import { checkPoints, checkVector } from '../point.ts'
import { countFromStart, type MigrationStep, markOtherClocks } from '../schema.ts'
import {
  beingRemoved,
  type CallOptions,
  type Collection,
  CollectionMissingError,
  checkCollectionName,
  expectBelonging,
  type OpenStore,
  type RecordChange,
  type SearchOptions,
  type Store,
  schemaVersion,
  type VideoRecord,
} from '../store.ts'
import { loadEngine, type OpenTables, storeErrorFrom, tablesIn } from './engine.ts'
import { collectionsIn, createCollection, type Facts, putFacts, readFacts } from './folder.ts'
import {
  is,
  nearest,
  oneOf,
  pointIdsOf,
  pointKey,
  pointsById,
  recordFrom,
  type Searched,
  scan,
  sightings,
  timesOf,
  videoKey,
} from './points.ts'
import { defaultUpkeep, indexVectors, isUntidy, tidy, type Upkeep } from './vectorIndex.ts'
import { writerIn } from './writer.ts'

/**
 * Opens one collection of a store that lies in a folder, for one machine and as many of its processes as you like. What
 * the collection is takes a millisecond to know; the engine, which takes a hundred, is loaded by the first call.
 * @param upkeep when the folder is tidied; for tests and measurements
 * @throws StoreError
 */
export const openEmbeddedStore = async (
  folder: string,
  { collection: name, create, onMigrated, signal }: OpenStore,
  upkeep: Upkeep = defaultUpkeep,
): Promise<Store> => {
  checkCollectionName(name)
  signal?.throwIfAborted()
  const location = resolve(folder)
  return translated(location, async () => {
    const found = await findOrCreate(location, name, create)
    expectBelonging(found, create)
    const { contents = name, replaced: _, ...collection } = found
    const store = storeIn(location, contents, collection, upkeep)
    if (!create || found.schemaVersion >= schemaVersion) return store
    await bringUpToDate(store, location, found, upkeep)
    onMigrated?.(countFromStart)
    return storeIn(location, contents, { ...collection, schemaVersion }, upkeep)
  })
}

type Migrate = CallOptions & { readonly collection: string; readonly dryRun?: boolean }

/** {@link migrateCollection} in a folder. */
export const migrateEmbeddedCollection = async (
  folder: string,
  { collection: name, dryRun, signal }: Migrate,
): Promise<MigrationStep[]> => {
  const { collection, close } = await openEmbeddedStore(folder, { collection: name, signal })
  await close()
  if (collection.schemaVersion >= schemaVersion) return []
  const create = { model: collection.model, dimension: collection.dimension }
  if (!dryRun) await (await openEmbeddedStore(folder, { collection: name, create, signal })).close()
  return [countFromStart]
}

/** The version is written last: broken off before, all of it is made again. */
const bringUpToDate = async (store: Store, location: string, facts: Facts, upkeep: Upkeep): Promise<void> => {
  const tables = tablesIn(join(location, facts.contents ?? facts.name), upkeep)
  try {
    await markOtherClocks(store, timesOf((await tables.opened()).points), {})
    await putFacts(location, { ...facts, schemaVersion })
  } finally {
    await tables.close()
    await store.close()
  }
}

const findOrCreate = async (folder: string, name: string, create: OpenStore['create']): Promise<Facts> => {
  const known = await readFacts(folder, name)
  if (known) return known
  if (!create) throw new CollectionMissingError(name, folder, await collectionsIn(folder))
  const [engine, { createTables }] = await Promise.all([loadEngine(), import('./rows.ts')])
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
  const inTurn = writerIn(folder)
  const writes = { points: 0, videos: 0 }

  const read = <T>(action: (opened: OpenTables) => Promise<T>, { signal }: CallOptions = {}): Promise<T> =>
    translated(location, async () => {
      signal?.throwIfAborted()
      return action(await tables.opened())
    })
  const write = <T>(action: (opened: OpenTables) => Promise<T>, options: CallOptions = {}): Promise<T> =>
    read((opened) => inTurn(() => action(opened), options.signal), options)

  /** Writes rows, and now and then puts their files together. */
  const put = async (table: Table, kind: keyof typeof writes, key: string, rows: ArrowTable): Promise<void> => {
    const { replaceRows } = await import('./rows.ts')
    await replaceRows(table, key, rows)
    if (++writes[kind] % upkeep.upsertsBetweenLooks === 0 && (await isUntidy(table, upkeep))) {
      await tidy(table, folder, upkeep)
    }
  }
  const searchBy =
    <Found>(find: (searched: Searched, vector: Float32Array, options: SearchOptions) => Promise<Found>) =>
    (vector: Float32Array, options: SearchOptions): Promise<Found> =>
      read(async ({ points, ways }) => {
        checkVector(vector, collection.dimension, 'Query')
        return find({ table: points, index: await ways.nextIndex() }, vector, options)
      }, options)
  const changeRecord = async (videos: Table, video: string, change: RecordChange) => {
    const record = change(await readRecord(videos, video))
    if (record) await put(videos, 'videos', videoKey, (await import('./rows.ts')).videoRows(record))
    return record
  }

  return {
    collection,
    location,
    upsert: async (batch, options) => {
      checkPoints(batch, collection.dimension)
      if (batch.length === 0) return
      const { pointRows } = await import('./rows.ts')
      const rows = pointRows(batch, collection.dimension)
      await write(({ points }) => put(points, 'points', pointKey, rows), options)
    },
    search: searchBy(nearest),
    sightings: searchBy(sightings),
    warmUp: () => read(({ ways }) => ways.warmUp()),
    pointIds: (video, options) => read(({ points }) => pointIdsOf(points, video), options),
    scan: async function* (filter, { signal } = {}) {
      signal?.throwIfAborted()
      try {
        for await (const point of scan((await tables.opened()).points, filter)) {
          signal?.throwIfAborted()
          yield point
        }
      } catch (error) {
        throw storeErrorFrom(error, location)
      }
    },
    points: (ids, options) => read(({ points }) => pointsById(points, ids), options),
    countPoints: (video, options) =>
      read(({ points }) => points.countRows(video === undefined ? undefined : is('video', video)), options),
    setPath: (video, path, options) =>
      write(async ({ points }) => {
        await points.update({ where: is('video', video), values: { path } })
      }, options),
    deletePoints: (video, options) =>
      write(async ({ points }) => {
        await points.delete(is('video', video))
      }, options),
    deleteVideo: (video, options) =>
      write(async ({ points, videos }) => {
        await changeRecord(videos, video, (record) => record && beingRemoved(record))
        await points.delete(is('video', video))
        await videos.delete(is(videoKey, video))
      }, options),
    record: (video, options) => read(({ videos }) => readRecord(videos, video), options),
    changeRecord: (video, change, options) => write(({ videos }) => changeRecord(videos, video, change), options),
    records: (options) => read(({ videos }) => readRecords(videos, options?.videos), options),
    recordsVersion: (options) => read(({ videos }) => videos.version(), options),
    optimize: (options) =>
      write(async ({ engine, points, videos, ways }) => {
        await indexVectors(engine, points, upkeep)
        await tidy(points, folder, upkeep)
        await tidy(videos, folder, upkeep)
        await ways.look()
      }, options),
    describe: () =>
      read(async ({ points, ways }) => {
        const { index, reason } = await ways.look()
        const count = await points.countRows()
        return {
          engine: 'LanceDB',
          version: engineVersion(),
          points: count,
          exact: true,
          indexed: index !== undefined,
          search: reason,
        }
      }),
    close: tables.close,
  }
}

const readRecord = async (videos: Table, video: string): Promise<VideoRecord | undefined> => {
  const [row] = await videos.query().where(is(videoKey, video)).toArray()
  return row && recordFrom(row)
}

/** By `video`. */
const readRecords = async (videos: Table, wanted?: readonly string[]): Promise<readonly VideoRecord[]> => {
  if (wanted?.length === 0) return []
  const query = wanted ? videos.query().where(oneOf(videoKey, wanted)) : videos.query()
  const records: VideoRecord[] = (await query.toArray()).map(recordFrom)
  return records.sort((a, b) => (a.video < b.video ? -1 : 1))
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
