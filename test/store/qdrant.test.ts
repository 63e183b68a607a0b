import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openQdrantStore } from '../../src/store/qdrant/qdrantStore.ts'
import type { Store } from '../../src/store/store.ts'
import { storeContract } from './contract.ts'
import { placeOn } from './qdrant-place.ts'
import { dimension, model, samplePoint, sampleRecord, unitVector } from './samples.ts'
import { type StandIn, startStandIn } from './stand-in/server.ts'

storeContract('Qdrant (stand-in)', async () => placeOn(await startStandIn()))

// The very same against a real server, where there is one: its answers are what the stand-in has to give.
const { QDRANT_URL: url, QDRANT_API_KEY: apiKey } = process.env
if (url) storeContract(`Qdrant at ${url}`, async () => placeOn({ url, apiKey }))

/** A collection of so many points that the server is asked to use its index, written past the store. */
const collectionOf = async (server: StandIn, count: number): Promise<Store> => {
  const store = await openQdrantStore(server.url, { collection: 'large', create: { model, dimension } })
  const { points } = server.database.get('large')!
  const vectors = Array.from({ length: 1000 }, (_, i) => unitVector(i))
  const { id: _, vector: __, ...payload } = samplePoint(1)
  for (let i = 0; i < count; i++) {
    const video = i < 10_000 ? 'long' : 'other'
    points.set(uuid(i), { id: uuid(i), vector: vectors[i % vectors.length], payload: { ...payload, video } })
  }
  return store
}

const uuid = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

const lastQuery = ({ seen }: StandIn) => JSON.parse(seen.findLast(({ path }) => path.endsWith('/query'))!.text)

describe('a large collection', () => {
  let server: StandIn
  beforeAll(async () => {
    server = await startStandIn()
  })
  afterAll(() => server.close())

  test('is searched exactly below 250,000 points, above through the index, and says so', async () => {
    const small = await collectionOf(server, 249_999)
    await small.search(unitVector(1), { limit: 10 })
    expect(lastQuery(server).params).toEqual({ exact: true })
    expect(await small.describe()).toMatchObject({ exact: true, points: 249_999 })
    const large = await collectionOf(server, 250_000)
    await large.search(unitVector(1), { limit: 10 })
    expect(lastQuery(server).params).toEqual({
      hnsw_ef: 1024,
      quantization: { rescore: true, oversampling: 1.5 },
      acorn: { enable: true },
    })
    await large.search(unitVector(1), { limit: 2000 })
    expect(lastQuery(server).params.hnsw_ef).toBeGreaterThan(2000)
    expect(await large.describe()).toMatchObject({ exact: false, points: 250_000 })
  })

  test('gives the ids of a video over several pages', async () => {
    const store = await collectionOf(server, 12_000)
    const before = server.seen.length
    const ids = await store.pointIds('long')
    expect(ids.size).toBe(10_000)
    expect(ids.has(uuid(9_999))).toBe(true)
    expect(server.seen.length - before).toBe(3)
  })

  test('gives its records over several pages, without the one about itself', async () => {
    const store = await collectionOf(server, 0)
    const kept = server.database.get('large-videos')!.points
    for (let i = 0; i < 1500; i++) kept.set(uuid(i), { id: uuid(i), vector: undefined, payload: sampleRecord(`v${i}`) })
    const records = await store.records()
    expect(records).toHaveLength(1500)
    expect(new Set(records.map(({ video }) => video)).size).toBe(1500)
  })
})
