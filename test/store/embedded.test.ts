import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, Index } from '@lancedb/lancedb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedStore } from '../../src/store/embedded/embeddedStore.ts'
import { collectionsIn } from '../../src/store/embedded/folder.ts'
import { defaultUpkeep } from '../../src/store/embedded/vectorIndex.ts'
import { migrateCollection } from '../../src/store/openStore.ts'
import { countFromStart } from '../../src/store/schema.ts'
import { CollectionMissingError, type Store, StoreError, schemaVersion } from '../../src/store/store.ts'
import { type Place, storeContract } from './contract.ts'
import { cosine, dimension, model, putRecord, samplePoint, sampleRecord, unitVector } from './samples.ts'

const folderPlace = async (): Promise<Place> => {
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-store-'))
  return {
    open: (options) => openEmbeddedStore(folder, options),
    plantSchemaVersion: async (collection, version) => {
      const file = join(folder, collection, 'collection.json')
      const facts = JSON.parse(await readFile(file, 'utf8'))
      await writeFile(file, JSON.stringify({ ...facts, schemaVersion: version }))
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

storeContract('The embedded store', folderPlace)

const create = { model, dimension }
let root: string
let made = 0
const freshFolder = () => join(root, `store ${++made} 'ü%`)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'vidgrep-embedded-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const refusal = async (opening: Promise<Store>): Promise<StoreError> => {
  const error = await opening.then(
    () => undefined,
    (failure: unknown) => failure,
  )
  expect(error).toBeInstanceOf(StoreError)
  return error as StoreError
}

describe('the folder', () => {
  test('is made when the first collection is, with folders above it', async () => {
    const folder = join(freshFolder(), 'a', 'b')
    await expect(openEmbeddedStore(folder, { collection: 'c' })).rejects.toBeInstanceOf(CollectionMissingError)
    expect(await collectionsIn(folder)).toEqual([])
    for (const collection of ['two', 'one']) await (await openEmbeddedStore(folder, { collection, create })).close()
    expect(await collectionsIn(folder)).toEqual(['one', 'two'])
    expect((await readdir(folder)).sort()).toEqual(['one', 'two'])
  })

  test('is refused where it is a file', async () => {
    const file = freshFolder()
    await writeFile(file, 'text')
    for (const folder of [file, join(file, 'below')]) {
      const error = await refusal(openEmbeddedStore(folder, { collection: 'c', create }))
      expect(error.code).toBe('store-not-a-folder')
      expect(error.remedy).toContain('--store')
    }
  })

  test('is refused where it holds something else, and left as it was', async () => {
    const folder = freshFolder()
    await mkdir(folder)
    await writeFile(join(folder, 'holiday.mp4'), 'video')
    const error = await refusal(openEmbeddedStore(folder, { collection: 'c', create }))
    expect(error.code).toBe('store-foreign')
    expect(await readdir(folder)).toEqual(['holiday.mp4'])
  })

  test("is refused where something else has the collection's name", async () => {
    const folder = freshFolder()
    await (await openEmbeddedStore(folder, { collection: 'one', create })).close()
    await mkdir(join(folder, 'two'))
    await writeFile(join(folder, 'two', 'notes.txt'), 'mine')
    const error = await refusal(openEmbeddedStore(folder, { collection: 'two', create }))
    expect(error.code).toBe('store-foreign')
  })

  test('is refused where the facts of the collection are damaged', async () => {
    const folder = freshFolder()
    await (await openEmbeddedStore(folder, { collection: 'one', create })).close()
    for (const text of ['', '{', '{"name":"one"}']) {
      await writeFile(join(folder, 'one', 'collection.json'), text)
      expect((await refusal(openEmbeddedStore(folder, { collection: 'one' }))).code).toBe('store-damaged')
    }
  })

  test('loses what a process left that died while creating a collection, but nothing young', async () => {
    const folder = freshFolder()
    for (const draft of ['.new-dead', '.new-young'])
      await mkdir(join(folder, draft, 'points.lance'), { recursive: true })
    const hoursAgo = new Date(Date.now() - 2 * 3_600_000)
    await utimes(join(folder, '.new-dead'), hoursAgo, hoursAgo)
    const store = await openEmbeddedStore(folder, { collection: 'one', create })
    await store.upsert([samplePoint(1)])
    await store.close()
    expect((await readdir(folder)).sort()).toEqual(['.new-young', 'one'])
  })
})

describe('vidgrep migrate', () => {
  test('of a folder tells what would be done, does it once, and refuses a missing collection', async () => {
    const folder = freshFolder()
    await (await openEmbeddedStore(folder, { collection: 'one', create })).close()
    const file = join(folder, 'one', 'collection.json')
    const facts = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...facts, schemaVersion: 1 }))
    const migrate = (dryRun?: boolean) => migrateCollection(folder, { collection: 'one', dryRun })
    expect(await migrate(true)).toEqual([countFromStart])
    expect(JSON.parse(await readFile(file, 'utf8')).schemaVersion).toBe(1)
    expect(await migrate()).toEqual([countFromStart])
    expect(JSON.parse(await readFile(file, 'utf8')).schemaVersion).toBe(schemaVersion)
    expect(await migrate()).toEqual([])
    await expect(migrateCollection(folder, { collection: 'two' })).rejects.toBeInstanceOf(CollectionMissingError)
  })
})

describe('many small upserts', () => {
  test('leave few files behind, and every point', async () => {
    const folder = freshFolder()
    const upkeep = { ...defaultUpkeep, upsertsBetweenLooks: 5, mostSmallFragments: 10, keepVersionsMs: 0 }
    const store = await openEmbeddedStore(folder, { collection: 'one', create }, upkeep)
    for (let i = 0; i < 60; i++) {
      await store.upsert([samplePoint(i)])
      await putRecord(store, sampleRecord(`video-${i % 15}`))
    }
    const files = await readdir(folder, { recursive: true })
    expect(files.length).toBeLessThan(150)
    expect(await store.countPoints()).toBe(60)
    expect(await store.records()).toHaveLength(15)
    await store.optimize()
    expect((await readdir(folder, { recursive: true })).length).toBeLessThan(40)
    expect(await store.search(unitVector(3), { limit: 100 })).toHaveLength(60)
    await store.close()
  })
})

describe('a large collection', () => {
  test.each(['an index', 'an index of cosines, as older versions built it,'])(
    'is searched through %s that finds what a scan finds, new points included',
    async (index) => {
      const upkeep = { ...defaultUpkeep, indexFromPoints: 5000 }
      const folder = freshFolder()
      const store = await openEmbeddedStore(folder, { collection: 'one', create }, upkeep)
      const points = Array.from({ length: 6000 }, (_, i) => samplePoint(i, { video: `video-${i % 10}` }))
      await store.upsert(points)
      if (index !== 'an index') await indexCosines(join(folder, 'one'))
      await store.optimize()
      expect(await store.describe()).toMatchObject({ points: 6000, exact: true, indexed: true })
      await store.upsert([samplePoint(7000), samplePoint(5, { vector: unitVector(7001) })])
      for (const seed of [7000, 7001]) {
        const [best] = await store.search(unitVector(seed), { limit: 1 })
        expect(best!.similarity).toBeCloseTo(1, 5)
      }
      const now = [...points, samplePoint(7000)]
      now[5] = samplePoint(5, { vector: unitVector(7001) })
      for (const videos of [undefined, ['video-3']]) {
        const query = unitVector(9000)
        const wanted = now.filter(({ video }) => !videos || videos.includes(video))
        const best = wanted.map(({ vector }) => cosine(vector, query)).sort((a, b) => b - a)
        const hits = await store.search(query, { limit: 60, filter: { videos } })
        expect(hits).toHaveLength(60)
        for (const [i, { similarity }] of hits.entries()) expect(Math.abs(similarity - best[i]!)).toBeLessThan(1e-4)
      }
      await store.close()
    },
  )

  const indexCosines = async (contents: string) => {
    const table = await (await connect(contents)).openTable('points')
    const config = Index.ivfFlat({ numPartitions: 2, distanceType: 'cosine' })
    await table.createIndex('vector', { config, name: 'vector_idx' })
    table.close()
  }

  test('is scanned where memory is too small for its index, and says so', async () => {
    const folder = freshFolder()
    const upkeep = { ...defaultUpkeep, indexFromPoints: 1000 }
    const filled = await openEmbeddedStore(folder, { collection: 'one', create }, upkeep)
    await filled.upsert(Array.from({ length: 1200 }, (_, i) => samplePoint(i)))
    expect((await filled.describe()).search).toBe('scan of 1200 points; an index is built from 1000 points on')
    await filled.optimize()
    expect((await filled.describe()).search).toMatch(/^index of 1200 points, all cells, built 20\d\d-/)
    await filled.upsert([samplePoint(5000)])
    expect((await filled.describe()).search).toMatch(/; 1 newer ones are scanned$/)
    const small = await openEmbeddedStore(folder, { collection: 'one' }, { ...upkeep, indexCacheBytes: 50_000 })
    const { exact, indexed, search } = await small.describe()
    expect({ exact, indexed }).toEqual({ exact: true, indexed: false })
    expect(search).toMatch(/^scan of 1201 points; the index of .* exceeds .* of memory$/)
    // The first search of a store scans, but after a warm-up.
    const warm = await openEmbeddedStore(folder, { collection: 'one' }, upkeep)
    await warm.warmUp?.()
    const options = { limit: 40 }
    await filled.search(unitVector(9000), options)
    const stores = [filled, warm, small]
    const [a, ...others] = await Promise.all(stores.map((store) => store.search(unitVector(9000), options)))
    for (const b of others) {
      expect(b.map(({ id }) => id)).toEqual(a!.map(({ id }) => id))
      for (const [i, { similarity }] of b.entries()) expect(similarity).toBeCloseTo(a![i]!.similarity, 5)
    }
    for (const store of stores) await store.close()
  })
})
