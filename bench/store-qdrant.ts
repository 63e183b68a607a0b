import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect, type Qdrant } from '../src/store/qdrant/client.ts'
import { collectionInfo } from '../src/store/qdrant/collections.ts'
import { readSteps, requestsOf } from '../src/store/qdrant/migrations.ts'
import { hitOf, numbersOf } from '../src/store/qdrant/points.ts'
import { openQdrantStore } from '../src/store/qdrant/qdrantStore.ts'
import type { Hit, Store } from '../src/store/store.ts'
import { putRecord } from '../test/store/samples.ts'
import { quantile, time } from './measure.ts'
import { clustersOf, pointAt, pointsPerVideo, recordOf, videoName } from './points/clustered.ts'
import { type Row, report } from './report.ts'

/*
 * How fast a Qdrant server is filled and searched through the store, and what it finds of what exact search finds.
 *
 *   QDRANT_URL=http://localhost:6333 npx tsx bench/store-qdrant.ts [--points 100000] [--dimension 384] [--searches 100]
 *     [--pid PID of the server, for its memory] [--keep NAME of a collection to fill, or to search as it is] [--json FILE]
 */

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '100000' },
    dimension: { type: 'string', default: '384' },
    searches: { type: 'string', default: '100' },
    pid: { type: 'string' },
    keep: { type: 'string' },
    json: { type: 'string' },
  },
})
const { QDRANT_URL: url, QDRANT_API_KEY: apiKey } = process.env
const [count, dimension, searches] = [values.points, values.dimension, values.searches].map(Number) as [
  number,
  number,
  number,
]
const videos = Math.ceil(count / pointsPerVideo)
const limit = 60

/** What is given to one call while loading: as much as an ingest gives, and enough to keep several requests in flight. */
const asIngested = 256
const atOnce = 2048

/** Share of the points that is written as an ingest writes them. */
const ingestedShare = 0.1

type Server = { readonly qdrant: Qdrant; readonly store: Store; readonly name: string }

/** Fills the collection and waits until its index stands. */
const fill = async (server: Server): Promise<Row[]> => {
  const { store, qdrant } = server
  const { member } = clustersOf(count, dimension)
  const write = async (from: number, to: number, size: number): Promise<Row> => {
    let spentMs = 0
    for (let at = from; at < to; at += size) {
      const batch = Array.from({ length: Math.min(size, to - at) }, (_, i) => pointAt(at + i, member()))
      spentMs += await time(() => store.upsert(batch))
    }
    return { what: `load, ${size} a call`, pointsASecond: Math.round(((to - from) / spentMs) * 1000) }
  }
  const border = Math.round((count * ingestedShare) / asIngested) * asIngested
  const rows = [await write(0, border, asIngested), await write(border, count, atOnce)]
  for (let video = 0; video < videos; video++) await putRecord(store, recordOf(video, store.collection.model))
  const loaded = await memoryMB(qdrant)
  const seconds = (await time(() => indexed(server))) / 1000
  return [...rows, { what: 'loaded', ...loaded }, { what: 'index', seconds, ...(await memoryMB(qdrant)) }]
}

const indexed = async (server: Server): Promise<void> => {
  const { qdrant, store, name } = server
  await makeLarge(server)
  await store.optimize()
  // The server takes up its work a moment after it was told to.
  for (let quiet = 0; quiet < 3; await pause(500)) {
    const info = await collectionInfo(qdrant, name)
    quiet = info?.status === 'green' ? quiet + 1 : 0
  }
}

/** Memory of the server: of its process where that is known, else what it says of itself. */
const memoryMB = async (qdrant: Qdrant): Promise<Row> => {
  if (values.pid) {
    const status = await readFile(`/proc/${values.pid}/status`, 'utf8')
    const of = (field: string) =>
      Math.round((Number(status.match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'))?.[1]) * 1024) / 1e6)
    return { serverMB: of('VmRSS'), ofThatFilesMB: of('RssFile') }
  }
  const metrics = await fetch(`${qdrant.location}/metrics`, { headers: apiKey ? { 'api-key': apiKey } : {} })
  const bytes = (await metrics.text()).match(/^memory_resident_bytes (\d+)/m)?.[1]
  return { serverMB: bytes ? Math.round(Number(bytes) / 1e6) : null }
}

type Search = (vector: Float32Array) => Promise<readonly Hit[]>

/** Past the store, to compare other ways of searching with its own. */
const asking =
  ({ qdrant, name }: Server, params: Record<string, unknown>): Search =>
  async (vector) => {
    const request = { collection_name: name, query: numbersOf(vector), limit, params, with_payload: true }
    return (await qdrant.ask((api, init) => api.queryPoints(request, init))).points.map(hitOf)
  }

/** One row for each way and kind of query; the first way is the truth of the others. */
const searchAll = async (server: Server, ways: Readonly<Record<string, Search>>): Promise<Row[]> => {
  const { member, stranger } = clustersOf(count, dimension, 2)
  const kinds = { 'near a cluster': member, 'far from all': stranger }
  const rows: Row[] = []
  for (const [kind, query] of Object.entries(kinds)) {
    const queries = Array.from({ length: searches }, query)
    let truth: readonly ReadonlySet<string>[] | undefined
    for (const [way, search] of Object.entries(ways)) {
      const { found, ...times } = await searchEach(queries, search)
      truth ??= found
      rows.push({ what: `${way}, ${kind}`, ...times, recallAt60: recall(found, truth) })
    }
  }
  const filter = { videos: [videoName(videos - 1)] }
  const within = (vector: Float32Array) => server.store.search(vector, { limit, filter })
  const { found, ...times } = await searchEach(Array.from({ length: searches }, member), within)
  return [...rows, { what: 'as the store asks, in one video', ...times }]
}

const searchEach = async (queries: readonly Float32Array[], search: Search) => {
  const found: ReadonlySet<string>[] = []
  const laps: number[] = []
  await search(queries[0]!)
  for (const query of queries) {
    laps.push(await time(async () => found.push(new Set((await search(query)).map(({ id }) => id)))))
  }
  const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((share) => quantile(laps, share)) as [number, number, number]
  return { found, p50Ms, p95Ms, p99Ms }
}

const recall = (found: readonly ReadonlySet<string>[], truth: readonly ReadonlySet<string>[]): number => {
  const shares = truth.map((ids, i) => [...ids].filter((id) => found[i]!.has(id)).length / ids.size)
  return shares.reduce((sum, share) => sum + share, 0) / shares.length
}

const measure = async (address: string): Promise<readonly Row[]> => {
  const name = values.keep ?? `bench-${randomBytes(4).toString('hex')}`
  const store = await openQdrantStore(address, { collection: name, create: { model: 'bench', dimension }, apiKey })
  const server = { qdrant: await connect(address, { apiKey }), store, name }
  try {
    const filled = (await store.countPoints()) === 0 ? await fill(server) : []
    const found = await searchAll(server, {
      'every point compared': asking(server, { exact: true }),
      'as the store asks': (vector) => store.search(vector, { limit }),
      ...throughTheIndex(server),
    })
    return [...filled, ...found, { what: 'after searching', ...(await memoryMB(server.qdrant)) }]
  } finally {
    await store.close()
    if (!values.keep) await drop(server)
  }
}

/** Through the index, as the store asks where a collection is large, and with one thing left out at a time. */
const throughTheIndex = (server: Server): Record<string, Search> => ({
  'index, 8 bits and whole': asking(server, { hnsw_ef: 1024, quantization: { rescore: true, oversampling: 1.5 } }),
  'index, 8 bits alone': asking(server, { hnsw_ef: 1024, quantization: { rescore: false } }),
  'index, whole numbers': asking(server, { hnsw_ef: 1024, quantization: { ignore: true } }),
})

/** The settings of large collections, also for a small one, so that they can be compared. */
const makeLarge = async ({ qdrant, name }: Server): Promise<void> => {
  const steps = (await readSteps()).filter(({ fromPoints }) => fromPoints > 0)
  for (const { body } of steps.flatMap((step) => requestsOf(step, { collection: name, dimension }))) {
    await qdrant.ask((api, init) => api.updateCollection({ ...body, collection_name: name }, init))
  }
}

const drop = async ({ qdrant, name }: Server): Promise<void> => {
  for (const collection_name of [name, `${name}-videos`]) {
    await qdrant.ask((api, init) => api.deleteCollection({ collection_name }, init))
  }
}

const results = url ? await measure(url) : []
const title = `Qdrant: ${count.toLocaleString('en')} points of ${dimension} numbers in clusters, top ${limit}, ${searches} searches each`
const notes = url
  ? [
      'Server, this program and its making of points share the machine; points are made between the calls.',
      'Indexed and with numbers of 8 bits whatever the size; the store asks for them from 250,000 points on.',
    ]
  : ['Not run, as it needs a server: QDRANT_URL=http://localhost:6333 npx tsx bench/store-qdrant.ts']
await report({ name: 'store-qdrant', title, results, notes }, values.json)
