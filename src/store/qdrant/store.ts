import { checkPoints, checkVector } from '../point.ts'
import type { CallOptions, OpenStore, Point, Store } from '../store.ts'
import { type Connect, connect, type Qdrant, type Schemas, writeSeconds } from './client.ts'
import { checkName, collectionInfo } from './collections.ts'
import { tooLarge } from './failures.ts'
import { collectionOf } from './meta.ts'
import { findOrCreate } from './migrate.ts'
import { batchesOf, ofVideo } from './points.ts'
import { changeRecord, deleteRecord, putRecord, readRecord, readRecords } from './records.ts'
import { scroll } from './scroll.ts'
import { type Searcher, searcher } from './search.ts'

/** Requests in flight while writing many points; each holds at most 16 MiB here. */
const streams = 3

/** Ids a page, and vectors a page (a vector of 640 numbers is 8 KB of JSON). */
const idPage = 4096
const vectorPage = 256

/**
 * Opens a collection on a Qdrant server.
 * @param url http(s) address; port 6333 where it has none
 * @throws UsageError for an address or a name that is none
 * @throws StoreError if the server does not answer or refuses (CollectionMissingError, ModelMismatchError,
 * SchemaTooNewError among them)
 */
export const openQdrantStore = async (
  url: string,
  { apiKey, patienceSeconds, ...options }: OpenStore & Connect,
): Promise<Store> => {
  options.signal?.throwIfAborted()
  checkName(options.collection)
  const qdrant = await connect(url, { apiKey, patienceSeconds })
  const meta = await findOrCreate(qdrant, options)
  const collection = collectionOf(options.collection, meta)
  const { dimension } = collection
  const name = meta.contents ?? collection.name
  const { isExact, search } = searcher(qdrant, name)
  const calls = pointCalls(qdrant, name)
  return {
    collection,
    location: qdrant.location,
    upsert: async (points, { signal } = {}) => {
      checkPoints(points, dimension)
      await upsert(qdrant, name, points, { signal })
    },
    search: async (vector, options) => {
      checkVector(vector, dimension, 'Query')
      return search(vector, options)
    },
    ...calls,
    putRecord: (record, { signal } = {}) => putRecord(qdrant, name, record, { signal }),
    record: (video, { signal } = {}) => readRecord(qdrant, name, video, { signal }),
    changeRecord: (video, change, { signal } = {}) => changeRecord(qdrant, name, video, change, { signal }),
    records: ({ signal } = {}) => readRecords(qdrant, name, { signal }),
    optimize: async ({ signal } = {}) => {
      // The server compacts and indexes by itself, in the background.
      signal?.throwIfAborted()
    },
    describe: () => describe(qdrant, name, calls, isExact),
    // Idle connections close by themselves and keep no process alive.
    close: async () => {},
  }
}

type PointCalls = Pick<Store, 'pointIds' | 'vectors' | 'setPath' | 'deleteVideo' | 'countPoints'>

const pointCalls = (qdrant: Qdrant, name: string): PointCalls => ({
  pointIds: async (video, { signal } = {}) => {
    const ids = new Set<string>()
    const request = { filter: ofVideo(video), limit: idPage, with_payload: false }
    for await (const { id } of scroll(qdrant, name, request, { signal })) ids.add(String(id))
    return ids
  },
  vectors: (ids, { signal } = {}) => readVectors(qdrant, name, ids, { signal }),
  setPath: async (video, path, { signal } = {}) => {
    const request = { collection_name: name, wait: true, payload: { path }, filter: ofVideo(video) }
    await qdrant.ask((api, init) => api.setPayload(request, init), { signal, timeoutSeconds: writeSeconds })
  },
  deleteVideo: async (video, { signal } = {}) => {
    const request = { collection_name: name, wait: true, filter: ofVideo(video) }
    await qdrant.ask((api, init) => api.deletePoints(request, init), { signal, timeoutSeconds: writeSeconds })
    await deleteRecord(qdrant, name, video, { signal })
  },
  countPoints: async (video, { signal } = {}) => {
    const request = { collection_name: name, exact: true, ...(video === undefined ? {} : { filter: ofVideo(video) }) }
    return (await qdrant.ask((api, init) => api.countPoints(request, init), { signal })).count
  },
})

/** Of a point that is there twice the last one counts: requests overtake each other. */
const upsert = async (
  qdrant: Qdrant,
  name: string,
  points: readonly Point[],
  { signal }: CallOptions,
): Promise<void> => {
  signal?.throwIfAborted()
  const batches = batchesOf(new Map(points.map((point) => [point.id, point])).values())
  // All streams draw from one generator; leaving a loop by an error ends it, and with it the others after their batch.
  const stream = async () => {
    for (const batch of batches) await send(qdrant, name, batch, { signal })
  }
  const ends = await Promise.allSettled(Array.from({ length: streams }, stream))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/** Sends a batch and waits until it is applied; in halves where a proxy takes less at once than the server. */
const send = async (
  qdrant: Qdrant,
  name: string,
  points: Schemas['PointStruct'][],
  { signal }: CallOptions,
): Promise<void> => {
  try {
    const request = { collection_name: name, wait: true, points }
    await qdrant.ask((api, init) => api.upsertPoints(request, init), { signal, timeoutSeconds: writeSeconds })
  } catch (error) {
    if (points.length === 1 || (error as { code?: string }).code !== tooLarge) throw error
    const half = Math.ceil(points.length / 2)
    await send(qdrant, name, points.slice(0, half), { signal })
    await send(qdrant, name, points.slice(half), { signal })
  }
}

const readVectors = async (
  qdrant: Qdrant,
  name: string,
  ids: readonly string[],
  { signal }: CallOptions,
): Promise<ReadonlyMap<string, Float32Array>> => {
  signal?.throwIfAborted()
  const vectors = new Map<string, Float32Array>()
  for (let at = 0; at < ids.length; at += vectorPage) {
    const page = { ids: ids.slice(at, at + vectorPage), with_vector: true, with_payload: false, collection_name: name }
    const points = await qdrant.ask((api, init) => api.getPoints(page, init), { signal })
    for (const { id, vector } of points) vectors.set(String(id), Float32Array.from(vector as number[]))
  }
  return vectors
}

const describe = async (qdrant: Qdrant, name: string, { countPoints }: PointCalls, isExact: Searcher['isExact']) => {
  const facts = [qdrant.version(), countPoints(), collectionInfo(qdrant, name), isExact({})] as const
  const [version, points, info, exact] = await Promise.all(facts)
  return {
    engine: 'qdrant',
    version,
    points,
    exact,
    indexed: info?.indexed_vectors_count ?? 0,
    status: info?.status ?? 'missing',
    segments: info?.segments_count ?? 0,
  }
}
