import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { openIndex } from '../../src/index.ts'
import { connect } from '../../src/store/qdrant/client.ts'
import { collectionNames, metaId, replaceQdrantCollection } from '../../src/store/qdrant/collections.ts'
import { migrateQdrantCollection as migrate } from '../../src/store/qdrant/migrations.ts'
import { openQdrantStore } from '../../src/store/qdrant/qdrantStore.ts'
import { largeFromPoints } from '../../src/store/qdrant/search.ts'
import { countFromStart } from '../../src/store/schema.ts'
import {
  CollectionMissingError,
  ModelMismatchError,
  SchemaTooNewError,
  type Store,
  StoreError,
  schemaVersion,
} from '../../src/store/store.ts'
import { dimension, model, samplePoint } from './samples.ts'
import { type StandIn, startStandIn } from './stand-in/server.ts'

let server: StandIn
beforeEach(async () => {
  server = await startStandIn()
})
afterEach(() => server.close())

const collection = 'clips'
const open = (name = collection, create = { model, dimension }) =>
  openQdrantStore(server.url, { collection: name, create })
const metaOf = (name = collection) => server.database.get(`${name}-videos`)!.points.get(metaId)!
const steps = ['0001-create-collections', '0002-index-payload', '0004-index-without-links']
const forLarge = '0003-quantise-large'
/** The number in the migration; a large collection is searched as such from the same one on. */
const large = largeFromPoints

/** Makes the collection as it was after the first step only. */
const setBack = async (create = { model, dimension }) => {
  await (await open(collection, create)).close()
  delete (metaOf().payload.migrations as Record<string, string>)[steps[1]!]
  metaOf().payload.schemaVersion = 0
  for (const kept of server.database.values()) kept.indexes.clear()
}

describe('migrations of the Qdrant schema', () => {
  test('are numbered without a gap, and the first index applies and records them all', async () => {
    await open()
    const files = (await readdir(new URL('../../migrations/', import.meta.url))).sort()
    expect(files).toEqual([...steps, forLarge].sort().map((step) => `${step}.json`))
    expect(files.map((file) => Number(file.slice(0, 4)))).toEqual(files.map((_, i) => i + 1))
    expect(Object.keys(metaOf().payload.migrations as object).sort()).toEqual(steps)
    expect(metaOf().payload).toMatchObject({ model, dimension, schemaVersion })
  })

  test('leave a collection compared by cosine, with indexes for what is filtered by', async () => {
    await open()
    expect(server.database.get(collection)!.vectors).toEqual({ size: dimension, distance: 'Cosine' })
    const withoutLinks = { enable_hnsw: false }
    const types = {
      path: { type: 'keyword', ...withoutLinks },
      video: 'keyword',
      t: { type: 'float', ...withoutLinks },
      until: { type: 'float', ...withoutLinks },
    }
    expect(Object.fromEntries(server.database.get(collection)!.indexes)).toEqual(types)
    expect(server.database.get(`${collection}-videos`)!.vectors).toEqual({})
  })

  test('a dry run tells what would be done and does nothing', async () => {
    await setBack()
    const before = structuredClone([...server.database])
    const pending = await migrate(server.url, { collection, dryRun: true })
    expect(pending.map(({ name }) => name)).toEqual([steps[1], countFromStart.name])
    expect(pending[0]!.requests[0]).toBe('PUT /collections/clips/index {"field_name":"path","field_schema":"keyword"}')
    expect([...server.database]).toEqual(before)
  })

  test('what is pending is applied and recorded, and then nothing is pending', async () => {
    await setBack()
    expect((await migrate(server.url, { collection })).map(({ name }) => name)).toEqual([steps[1], countFromStart.name])
    expect(server.database.get(collection)!.indexes.size).toBe(4)
    expect(Object.keys(metaOf().payload.migrations as object).sort()).toEqual(steps)
    expect(metaOf().payload.schemaVersion).toBe(schemaVersion)
    const requests = server.seen.length
    expect(await migrate(server.url, { collection })).toEqual([])
    expect(server.seen.slice(requests).every(({ method }) => method !== 'PUT')).toBe(true)
  })

  test('a later index by the library that names no model applies what is pending', async () => {
    await setBack({ model: 'starter-1', dimension: 384 })
    const index = await openIndex({ store: server.url, collection })
    const video = fileURLToPath(new URL('../clips/bunny.mp4', import.meta.url))
    for await (const event of index.ingest([video], { detail: 'whole', everySeconds: 3 })) {
      if (event.type === 'done') expect(event.totals).toMatchObject({ complete: 1, points: 2 })
    }
    await index.close()
    expect(Object.keys(metaOf().payload.migrations as object).sort()).toEqual(steps)
  })

  test('indexing into an older collection applies what is pending', async () => {
    await setBack()
    await open()
    expect(server.database.get(collection)!.indexes.size).toBe(4)
  })

  test('broken off in the middle, they are done by the next one', async () => {
    let left = 3
    server.fault = ({ method }) => (method === 'PUT' && left-- <= 0 ? { status: 500, body: 'killed' } : undefined)
    await expect(open()).rejects.toBeInstanceOf(StoreError)
    await expect(openQdrantStore(server.url, { collection })).rejects.toBeInstanceOf(CollectionMissingError)
    server.fault = () => undefined
    await open()
    expect(Object.keys(metaOf().payload.migrations as object).sort()).toEqual(steps)
    expect(server.database.get(collection)!.indexes.size).toBe(4)
  })

  test('two at once do no harm', async () => {
    await setBack()
    const both = await Promise.all([migrate(server.url, { collection }), migrate(server.url, { collection })])
    expect(both.flat().length).toBeGreaterThan(0)
    expect(await migrate(server.url, { collection })).toEqual([])
  })

  test('there is nothing to migrate in a missing collection or one of a newer schema', async () => {
    await expect(migrate(server.url, { collection })).rejects.toBeInstanceOf(CollectionMissingError)
    await open()
    metaOf().payload.schemaVersion = schemaVersion + 1
    await expect(migrate(server.url, { collection })).rejects.toBeInstanceOf(SchemaTooNewError)
  })
})

describe('the step for large collections', () => {
  const eightBits = { scalar: { type: 'int8', quantile: 0.99, always_ram: true } }
  const isQuantised = () => server.database.get(collection)!.quantization !== null

  /** Written past the store, as there are many. */
  const plant = (count: number, name = collection) => {
    const { points } = server.database.get(name)!
    const { vector } = samplePoint(1)
    for (let i = points.size; i < count; i++) {
      const id = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`
      points.set(id, { id, vector, payload: {} })
    }
  }

  test('is left out as long as a collection is small', async () => {
    const store = await open()
    plant(large - 1)
    await store.optimize()
    await open()
    expect(await migrate(server.url, { collection })).toEqual([])
    expect(isQuantised()).toBe(false)
    expect(await store.describe()).toMatchObject({ quantised: false })
  })

  test.each<[string, (store: Store) => Promise<unknown>]>([
    ['the end of the run that made it large', (store) => store.optimize()],
    ['the next run', () => open()],
    ['vidgrep migrate', () => migrate(server.url, { collection })],
  ])('is applied by %s, and once', async (_, apply) => {
    const store = await open()
    plant(large)
    await apply(store)
    expect(server.database.get(collection)).toMatchObject({ quantization: eightBits, onDisk: true })
    expect(Object.keys(metaOf().payload.migrations as object)).toContain(forLarge)
    expect(await store.describe()).toMatchObject({ quantised: true })
    await store.optimize()
    await open()
    expect(server.seen.filter(({ method }) => method === 'PATCH')).toHaveLength(1)
    expect(await migrate(server.url, { collection })).toEqual([])
  })

  test('is told by a dry run, and not done by one that only searches', async () => {
    await open()
    plant(large)
    const [step] = await migrate(server.url, { collection, dryRun: true })
    expect(step!.requests[0]).toContain('PATCH /collections/clips {"vectors":{"":{"on_disk":true}}')
    const reader = await openQdrantStore(server.url, { collection })
    await reader.search(samplePoint(1).vector, { limit: 1 })
    expect(isQuantised()).toBe(false)
  })

  test('goes with a collection that took the place of another', async () => {
    await open()
    await openQdrantStore(server.url, { collection: 'next', create: { model: 'other@1', dimension } })
    await replaceQdrantCollection(server.url, { name: collection, by: 'next' })
    plant(large, 'next')
    await (await open(collection, { model: 'other@1', dimension })).optimize()
    expect(server.database.get('next')!.quantization).toEqual(eightBits)
  })
})

describe('whose collection it is', () => {
  test.each([
    ['model', { model: 'other@1', dimension }],
    ['dimension', { model, dimension: dimension + 1 }],
  ])('of several that create it at once for another %s, one gets it and the others are told', async (_, other) => {
    const tries = await Promise.allSettled([open(), open(collection, other), open(), open(collection, other)])
    const stores = tries.flatMap((end) => (end.status === 'fulfilled' ? [end.value.collection] : []))
    expect(new Set(stores.map(({ model, dimension }) => `${model} ${dimension}`)).size).toBe(1)
    for (const end of tries) if (end.status === 'rejected') expect(end.reason).toBeInstanceOf(StoreError)
    const owner = { model: stores[0]!.model, dimension: stores[0]!.dimension }
    expect(metaOf().payload).toMatchObject(owner)
    expect(server.database.get(collection)!.vectors.size).toBe(owner.dimension)
    const loser = owner.model === model && owner.dimension === dimension ? other : { model, dimension }
    await expect(open(collection, loser)).rejects.toBeInstanceOf(ModelMismatchError)
  })

  test("another program's collection of the same name is left alone", async () => {
    const headers = { 'content-type': 'application/json' }
    const put = (path: string, body: unknown) =>
      fetch(server.url + path, { method: 'PUT', headers, body: JSON.stringify(body) })
    await put(`/collections/${collection}`, { vectors: { size: dimension, distance: 'Cosine' } })
    const { id, vector } = samplePoint(1)
    await put(`/collections/${collection}/points`, { points: [{ id, vector: [...vector], payload: { theirs: true } }] })
    const failure = (await open().catch((error: unknown) => error)) as StoreError
    expect(failure.code).toBe('collection-foreign')
    expect([...server.database.keys()]).toEqual([collection])
    expect(server.database.get(collection)!.indexes.size).toBe(0)
    expect(await collectionNames(await connect(server.url))).toEqual([])
  })

  test('points that somebody deleted by hand are missed, as the records would say that all is indexed', async () => {
    await open()
    server.database.delete(collection)
    const failure = (await open().catch((error: unknown) => error)) as StoreError
    expect(failure.code).toBe('collection-damaged')
    expect(failure.remedy).toBe(`Delete them too: curl -X DELETE ${server.url}/collections/clips-videos`)
  })

  test('collections are listed by name, without those of records or of others', async () => {
    await open('b')
    await open('a')
    server.database.set('theirs', server.database.get('a')!)
    expect(await collectionNames(await connect(server.url))).toEqual(['a', 'b'])
  })

  test('a name that records of another collection would have is refused', async () => {
    await expect(open('clips-videos')).rejects.toBeInstanceOf(UsageError)
  })
})
