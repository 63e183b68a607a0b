import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { UsageError, VidgrepError } from '../../src/errors.ts'
import { openQdrantStore } from '../../src/store/qdrant/qdrantStore.ts'
import { StoreError } from '../../src/store/store.ts'
import { dimension, model, putRecord, samplePoint, sampleRecord, unitVector } from './samples.ts'
import { type Fault, type Seen, type StandIn, startStandIn } from './stand-in/server.ts'

let server: StandIn
beforeEach(async () => {
  server = await startStandIn()
})
afterEach(() => server.close())

const name = 'faults'
const open = (options: { apiKey?: string; patienceSeconds?: number; signal?: AbortSignal } = {}) =>
  openQdrantStore(server.url, { collection: name, create: { model, dimension }, ...options })

const isUpsert = ({ method, path }: Seen) => method === 'PUT' && path === `/collections/${name}/points`

/** These faults, one a request that writes points; later ones go through. */
const faultsOnUpsert = (...faults: Fault[]) => {
  server.fault = (seen) => (isUpsert(seen) ? faults.shift() : undefined)
}

const failureOf = async (call: Promise<unknown>): Promise<StoreError> => {
  const failure = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(StoreError)
  return failure as StoreError
}

/** A port of this machine on which nothing listens. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const listener = createServer().listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as { port: number }
      listener.close(() => resolve(port))
    })
  })

describe('failures that pass', () => {
  test.each<[string, Fault[]]>([
    ['unavailable twice', [{ status: 503 }, { status: 503 }]],
    ['a proxy without its server', [{ status: 502, body: '<html>Bad Gateway</html>' }]],
    ['a proxy that waited too long', [{ status: 504 }]],
    ['too many requests, with the time to wait', [{ status: 429, headers: { 'retry-after': '1' } }]],
    ['too many requests, with a date', [{ status: 429, headers: { 'retry-after': 'Mon, 23 Nov 2026 13:00:00 GMT' } }]],
    ['too many requests, without more', [{ status: 429 }]],
    ['a connection that breaks before the work', ['drop before']],
    ['a connection that breaks after the work', ['drop after']],
    ['a connection that breaks in mid-answer', ['drop in mid-answer', 'drop in mid-answer']],
  ])('%s: the call is made again until it is done', async (_, faults) => {
    const store = await open()
    faultsOnUpsert(...faults)
    await store.upsert([samplePoint(1), samplePoint(2)])
    expect(server.seen.filter(isUpsert)).toHaveLength(faults.length + 1)
    expect(await store.countPoints()).toBe(2)
  })

  test('a server that goes away and comes back in mid-writing costs nothing but time', async () => {
    const store = await open()
    const { port } = new URL(server.url)
    faultsOnUpsert('drop after')
    const points = Array.from({ length: 2000 }, (_, i) => samplePoint(i))
    const writing = store.upsert(points)
    await vi.waitFor(() => expect(server.seen.filter(isUpsert).length).toBeGreaterThan(1))
    const kept = [...server.database]
    await server.close()
    await new Promise((resolve) => setTimeout(resolve, 300))
    server = await startStandIn({ port: Number(port) })
    for (const [collection, content] of kept) server.database.set(collection, content)
    await writing
    expect(await store.countPoints()).toBe(2000)
  })

  test('patience has an end', async () => {
    const store = await open({ patienceSeconds: 0.5 })
    server.fault = () => ({ status: 503, body: '{"status":{"error":"Service is starting"}}' })
    const before = server.seen.length
    const failure = await failureOf(store.upsert([samplePoint(1)]))
    expect(failure.code).toBe('store-busy')
    expect(failure.message).toContain('Service is starting')
    expect(server.seen.length - before).toBeGreaterThan(1)
  })

  test('an aborted signal ends the waiting', async () => {
    const store = await open()
    const controller = new AbortController()
    const reason = new Error('enough')
    server.fault = (seen) => {
      if (isUpsert(seen)) setTimeout(() => controller.abort(reason), 20)
      return { status: 503 }
    }
    await expect(store.upsert([samplePoint(1)], { signal: controller.signal })).rejects.toBe(reason)
  })

  test('an aborted signal ends a request that gets no answer', async () => {
    const store = await open()
    const controller = new AbortController()
    const reason = new Error('enough')
    server.fault = () => {
      setImmediate(() => controller.abort(reason))
      return 'never answer'
    }
    await expect(store.countPoints(undefined, { signal: controller.signal })).rejects.toBe(reason)
  })
})

describe('failures that stay', () => {
  test.each([400, 404, 409, 422, 500, 507])('status %d is told at once with the reason', async (status) => {
    const store = await open()
    const body = JSON.stringify({ status: { error: 'Wrong input: no way' }, time: 0 })
    faultsOnUpsert({ status, body, headers: { 'content-type': 'application/json' } })
    const failure = await failureOf(store.upsert([samplePoint(1)]))
    expect(failure.message).toBe(`Qdrant at ${server.url} answered ${status}: Wrong input: no way`)
    expect(server.seen.filter(isUpsert)).toHaveLength(1)
  })

  test('the first of several failures ends the writing of the rest', async () => {
    const store = await open()
    server.fault = (seen) => (isUpsert(seen) ? { status: 500, body: 'No space left on device' } : undefined)
    const failure = await failureOf(store.upsert(Array.from({ length: 5000 }, (_, i) => samplePoint(i))))
    expect(failure.message).toContain('No space left on device')
    expect(server.seen.filter(isUpsert).length).toBeLessThanOrEqual(3)
  })

  test('nothing listens', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const failure = await failureOf(openQdrantStore(url, { collection: name }))
    expect(failure.code).toBe('store-unreachable')
    expect(failure.message).toBe(`Qdrant at ${url} did not answer`)
    expect(failure.remedy).toBe('Start it with docker compose up -d, or check --store')
  })

  test('https is asked of a server that speaks http', async () => {
    const failure = await failureOf(openQdrantStore(server.url.replace('http:', 'https:'), { collection: name }))
    expect(failure.code).toBe('store-tls')
    expect(failure.remedy).toContain('http://')
  })

  test('http is asked of a server that speaks something else', async () => {
    const other = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(other.address() as { port: number }).port}`
    const failure = await failureOf(openQdrantStore(url, { collection: name }))
    other.close()
    expect(failure.code).toBe('store-tls')
    expect(failure.remedy).toContain('https://')
  })

  test.each([
    ['a page', { status: 200, body: '<html>Welcome</html>', headers: { 'content-type': 'text/html' } }],
    ['half an answer', { status: 200, body: '{"resu', headers: { 'content-type': 'application/json' } }],
    ['other JSON', { status: 200, body: '[]', headers: { 'content-type': 'application/json' } }],
  ])('what answers is not Qdrant: %s', async (_, fault) => {
    server.fault = () => fault
    const failure = await failureOf(open())
    expect(failure.message).toBe(`What answered at ${server.url} is not Qdrant`)
  })

  test.each(['http://', 'https://host:notaport', 'http://host:99999', 'ftp://host', 'host:6333'])(
    'the address %j is none',
    async (url) => {
      await expect(openQdrantStore(url, { collection: name })).rejects.toBeInstanceOf(UsageError)
    },
  )
})

describe('the API key', () => {
  const key = randomBytes(12).toString('hex')
  beforeEach(async () => {
    await server.close()
    server = await startStandIn({ apiKey: key })
  })

  test('goes with every request, and nothing is printed about it', async () => {
    const warn = vi.spyOn(console, 'warn')
    const store = await open({ apiKey: key })
    await store.upsert([samplePoint(1)])
    await putRecord(store, sampleRecord('a'))
    await store.search(unitVector(1), { limit: 1, filter: { videos: ['a'] } })
    expect(server.seen.map(({ headers }) => headers['api-key'])).toEqual(server.seen.map(() => key))
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })

  test.each([
    ['missing', undefined],
    ['wrong', 'not-the-key'],
  ])('is %s: the message says so and does not tell it', async (_, apiKey) => {
    const failure = await failureOf(open(apiKey ? { apiKey } : {}))
    expect(failure.code).toBe('store-unauthorized')
    expect(failure.message).toContain('the API key is missing or wrong')
    expect(failure.remedy).toContain('QDRANT_API_KEY')
    expect(failure.message).not.toContain('not-the-key')
    expect(server.seen).toHaveLength(1)
  })
})

describe('what is sent', () => {
  test('answers are asked for uncompressed, as compressed ones come in two slow steps', async () => {
    await open()
    expect(new Set(server.seen.map(({ headers }) => headers['accept-encoding']))).toEqual(new Set(['identity']))
  })

  test('requests stay below the size that the server takes', async () => {
    const wide = 8192
    const store = await openQdrantStore(server.url, { collection: name, create: { model, dimension: wide } })
    const vector = unitVector(1, wide)
    await store.upsert(Array.from({ length: 300 }, (_, i) => samplePoint(i, { vector })))
    const requests = server.seen.filter(isUpsert)
    expect(Math.max(...requests.map(({ bytes }) => bytes))).toBeLessThan(16 * 2 ** 20)
    expect(requests.length).toBeGreaterThan(2)
    expect(await store.countPoints()).toBe(300)
  })

  test('where a proxy takes less, requests are halved until it does', async () => {
    const store = await open()
    server.fault = ({ bytes }) => (bytes > 20_000 ? { status: 413, body: 'Request Entity Too Large' } : undefined)
    await store.upsert(Array.from({ length: 256 }, (_, i) => samplePoint(i)))
    expect(await store.countPoints()).toBe(256)
    server.fault = ({ bytes }) => (bytes > 200 ? { status: 413, body: 'Request Entity Too Large' } : undefined)
    expect((await failureOf(store.upsert([samplePoint(1)]))).code).toBe('store-request-too-large')
  })

  test('an address may have a path, and its user and password are not shown', async () => {
    const url = new URL('/proxy/qdrant/', server.url)
    url.username = 'me'
    url.password = 'secret'
    const failure = await failureOf(openQdrantStore(url.href, { collection: name, create: { model, dimension } }))
    expect(server.seen[0]?.path).toBe(`/proxy/qdrant/collections/${name}-videos/points`)
    expect(failure.message).toContain(`${server.url}/proxy/qdrant`)
    expect(failure.message).not.toContain('secret')
  })

  test('6333 is the port where none is named, also for https', async () => {
    const failures = ['http://127.0.0.1', 'https://127.0.0.1', 'http://[::1]'].map((url) =>
      failureOf(openQdrantStore(url, { collection: name, patienceSeconds: 0, signal: AbortSignal.timeout(20_000) })),
    )
    for (const failure of await Promise.all(failures)) expect(failure.message).toMatch(/:6333/)
  })

  test('a failure is one of ours', async () => {
    server.fault = () => ({ status: 418 })
    expect(await failureOf(open())).toBeInstanceOf(VidgrepError)
  })
})
