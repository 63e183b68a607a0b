import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { loadingFromPoints } from '../../src/store/qdrant/bulk.ts'
import { type Leases, leaseMs, renewMs } from '../../src/store/qdrant/leases.ts'
import { metaId } from '../../src/store/qdrant/meta.ts'
import { openQdrantStore } from '../../src/store/qdrant/store.ts'
import type { Point, Store } from '../../src/store/store.ts'
import { askServer, placeOn, type Server } from './qdrant-place.ts'
import { dimension, model, samplePoint, unitVector } from './samples.ts'
import { type Seen, type StandIn, startStandIn } from './stand-in/server.ts'

const collection = 'filling'
const create = { model, dimension }
/** So many points that it is much; that they are one and the same saves the time of sending them. */
const much = Array.from({ length: loadingFromPoints }, () => samplePoint(1))
const before = 10_000

let server: StandIn
beforeEach(async () => {
  server = await startStandIn()
})
afterEach(async () => {
  vi.useRealTimers()
  await server.close()
})

const open = (options: { create?: typeof create; patienceSeconds?: number } = { create }) =>
  openQdrantStore(server.url, { collection, ...options })
const kept = () => server.database.get(collection)!
const leases = () => (server.database.get(`${collection}-videos`)!.points.get(metaId)!.payload.loading ?? {}) as Leases
const isPatch = ({ method }: Seen) => method === 'PATCH'
const settings = () => server.seen.filter(isPatch).map(({ text }) => JSON.parse(text).optimizers_config)

/** Fills in steps, as an ingest does. */
const write = async (store: Store, points: readonly Point[] = much) => {
  for (let at = 0; at < points.length; at += 5000) await store.upsert(points.slice(at, at + 5000))
}

/** As if the process were gone for so long that nobody waits for it any more. */
const ageLeases = () => {
  for (const lease of Object.values(leases())) Object.assign(lease, { untilMs: Date.now() - 1 })
}

describe('while much is being written', () => {
  test('indexing is off, and on again as it was when all is written', async () => {
    const store = await open()
    kept().indexingThreshold = 12_345
    await write(store)
    expect(kept().indexingThreshold).toBe(0)
    expect(await store.describe()).toMatchObject({ indexing: 'off' })
    await store.optimize()
    expect(kept().indexingThreshold).toBe(12_345)
    expect(await store.describe()).toMatchObject({ indexing: 'on' })
    expect(leases()).toEqual({})
    expect(settings()).toEqual([{ indexing_threshold: 0 }, { indexing_threshold: 12_345 }])
  })

  test('a run that writes little leaves indexing alone', async () => {
    const store = await open()
    await write(store, much.slice(1))
    await store.optimize()
    await store.close()
    expect(settings()).toEqual([])
  })

  test('a run that adds less than is indexed leaves the index alone', async () => {
    const store = await open()
    kept().indexed = loadingFromPoints + 1
    await write(store)
    expect(settings()).toEqual([])
    await write(store)
    expect(kept().indexingThreshold).toBe(0)
  })

  test('a run that ended is followed by one that is counted anew', async () => {
    const store = await open()
    await write(store)
    await store.optimize()
    await write(store, much.slice(1))
    expect(kept().indexingThreshold).toBe(before)
    await store.upsert(much.slice(0, 1))
    expect(kept().indexingThreshold).toBe(0)
  })

  test('closing turns it on again where the run was broken off', async () => {
    const store = await open()
    await write(store)
    await store.close()
    expect(kept().indexingThreshold).toBe(before)
    expect(leases()).toEqual({})
  })

  test('closing without a server ends all the same', async () => {
    const store = await open({ create, patienceSeconds: 0 })
    await write(store)
    server.fault = () => 'drop before'
    await expect(store.close()).resolves.toBeUndefined()
    expect(kept().indexingThreshold).toBe(0)
  })

  test('what another program turned off stays off', async () => {
    const store = await open()
    kept().indexingThreshold = 0
    await write(store)
    await store.optimize()
    await (await open()).close()
    expect(settings()).toEqual([])
  })
})

describe('several processes that load at once', () => {
  test('the last one to end turns indexing on', async () => {
    const stores = [await open(), await open(), await open()] as const
    await Promise.all(stores.map((store) => write(store)))
    expect(Object.keys(leases())).toHaveLength(3)
    await stores[1].optimize()
    await stores[0].close()
    expect(kept().indexingThreshold).toBe(0)
    await stores[2].optimize()
    expect(kept().indexingThreshold).toBe(before)
    expect(leases()).toEqual({})
  })

  test('those that end at the same moment leave nothing behind', async () => {
    const stores = await Promise.all(Array.from({ length: 6 }, () => open()))
    await Promise.all(stores.map((store) => write(store)))
    await Promise.all(stores.map((store) => store.optimize()))
    expect(kept().indexingThreshold).toBe(before)
    expect(leases()).toEqual({})
  })

  test('one that opens the collection meanwhile leaves it to them', async () => {
    const store = await open()
    await write(store)
    await (await open()).close()
    await (await open({})).search(unitVector(1), { limit: 1 })
    expect(kept().indexingThreshold).toBe(0)
    expect(Object.keys(leases())).toHaveLength(1)
  })

  test('one that was taken for gone turns indexing off again, and on at its end', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const store = await open()
    await write(store)
    vi.setSystemTime(Date.now() + leaseMs)
    await (await open()).close()
    expect(kept().indexingThreshold).toBe(before)
    await store.upsert(much.slice(0, 1))
    expect(kept().indexingThreshold).toBe(0)
    await store.optimize()
    expect(kept().indexingThreshold).toBe(before)
  })

  test('one that goes on writing is never taken for gone', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const store = await open()
    await write(store)
    for (let passedMs = 0; passedMs < 2 * leaseMs; passedMs += renewMs) {
      vi.setSystemTime(Date.now() + renewMs)
      await store.upsert(much.slice(0, 1))
      await (await open()).close()
      expect(kept().indexingThreshold).toBe(0)
    }
  })
})

describe('after a crash of the process that loads', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['that writes', () => open()],
    ['that only searches', () => open({})],
  ])('the next one %s turns indexing on, once the lease has run out', async (_, openNext) => {
    await write(await open())
    await openNext()
    expect(kept().indexingThreshold).toBe(0)
    ageLeases()
    await openNext()
    expect(kept().indexingThreshold).toBe(before)
    expect(leases()).toEqual({})
  })

  test('one that was open before turns it on when it searches', async () => {
    const store = await open()
    const other = await open({})
    await write(store)
    ageLeases()
    await other.search(unitVector(1), { limit: 1 })
    expect(kept().indexingThreshold).toBe(before)
  })

  test('one that loads after it turns it on at its end', async () => {
    await write(await open())
    ageLeases()
    kept().indexingThreshold = 0
    const next = await open()
    await write(next)
    expect(kept().indexingThreshold).toBe(0)
    await next.optimize()
    expect(kept().indexingThreshold).toBe(before)
  })

  test('a key that may only read leaves things as they are and searches', async () => {
    const store = await open()
    await write(store)
    ageLeases()
    const body = 'Forbidden: Global manage access is required'
    server.fault = ({ method, path }) =>
      method === 'PATCH' || /payload/.test(path) ? { status: 403, body } : undefined
    const reader = await open({})
    expect(await reader.search(unitVector(1), { limit: 5 })).toHaveLength(1)
    expect(kept().indexingThreshold).toBe(0)
  })

  test('whichever of its requests was the last one, the next process leaves indexing on', async () => {
    for (let requests = 0; ; requests++) {
      server.database.clear()
      server.fault = () => undefined
      const store = await open({ create, patienceSeconds: 0 })
      let left = requests
      server.fault = () => (left-- > 0 ? undefined : 'drop before')
      const isDone = await write(store)
        .then(() => store.optimize())
        .then(
          () => true,
          () => false,
        )
      server.fault = () => undefined
      ageLeases()
      await open()
      expect(kept().indexingThreshold, `after ${requests} requests`).toBe(before)
      await expect(write(store).then(() => store.optimize())).resolves.toBeUndefined()
      expect(kept().indexingThreshold, `after ${requests} requests, and going on`).toBe(before)
      expect(leases()).toEqual({})
      if (isDone) return
    }
  })
})

const { QDRANT_URL: url, QDRANT_API_KEY: apiKey } = process.env
const servers: [string, () => Promise<Server & { close?(): Promise<void> }>][] = [['the stand-in', startStandIn]]
if (url) servers.push([`Qdrant at ${url}`, async () => ({ url, apiKey })])

describe.each(servers)('a process that is killed while it loads into %s', (_, start) => {
  test('has its work undone by the next one, and the points are there', async () => {
    const place = await start()
    const { open: openHere, remove } = placeOn(place)
    const name = `killed-${randomBytes(4).toString('hex')}`
    const placeOf = (path: string) => `/collections/${name}${path}`
    const threshold = async () => {
      const info = (await askServer(place, 'GET', placeOf(''))) as {
        config: { optimizer_config: { indexing_threshold: number } }
      }
      return info.config.optimizer_config.indexing_threshold
    }
    try {
      const first = await openHere({ collection: name, create })
      const usual = await threshold()
      await killAfterLoading(place, name)
      expect(await threshold()).toBe(0)
      expect(await first.countPoints()).toBe(loadingFromPoints)

      await (await openHere({ collection: name })).close()
      expect(await threshold(), 'its lease still runs').toBe(0)
      const [point] = (await askServer(place, 'POST', placeOf('-videos/points'), {
        ids: [metaId],
        with_payload: true,
      })) as [{ payload: { loading: Leases } }]
      const [[loader, lease]] = Object.entries(point.payload.loading) as [[string, Leases[string]]]
      const payload = { [loader]: { ...lease, untilMs: Date.now() - 1 } }
      const aged = { points: [metaId], key: 'loading', payload }
      await askServer(place, 'POST', placeOf('-videos/points/payload?wait=true'), aged)

      await (await openHere({ collection: name })).close()
      expect(await threshold()).toBe(usual)
      expect(usual).toBeGreaterThan(0)
    } finally {
      await remove()
    }
  })
})

/** Starts a process that loads much, and kills it (SIGKILL) when it has written it. */
const killAfterLoading = async ({ url, apiKey }: Server, name: string): Promise<void> => {
  const words = [join(import.meta.dirname, 'qdrant-loader.ts'), url, name, String(loadingFromPoints)]
  const env = { ...process.env, ...(apiKey ? { QDRANT_API_KEY: apiKey } : {}) }
  const loader = spawn(process.execPath, ['--import', 'tsx', ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = await Promise.race([once(loader.stdout, 'data'), once(loader, 'exit')])
  expect(String(said)).toContain('wrote')
  loader.kill('SIGKILL')
  await once(loader, 'exit')
}
