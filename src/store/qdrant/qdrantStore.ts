import { checkPoints } from '../point.ts'
import { beingRemoved, type CallOptions, type OpenStore, type Point, type Store } from '../store.ts'
import { type Connect, connect, type Qdrant, writeSeconds } from './client.ts'
import { checkName, collectionInfo, collectionOf } from './collections.ts'
import { catchUp, findOrCreate } from './migrations.ts'
import { conditionsOf, ofVideo, pointOf, scroll, writePoints } from './points.ts'
import { changeRecord, deleteRecord, readRecord, readRecords } from './records.ts'
import { type Searcher, searcher } from './search.ts'

/** Ids a page, and vectors a page (a vector of 640 dimensions is 8 KB of JSON). */
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
  const { isExact, search, sightings } = searcher(qdrant, name, dimension)
  const calls = pointCalls(qdrant, name)
  return {
    collection,
    location: qdrant.location,
    upsert: async (points, { signal } = {}) => {
      checkPoints(points, dimension)
      await writePoints(qdrant, name, points, { signal })
    },
    search,
    sightings,
    ...calls,
    record: (video, { signal } = {}) => readRecord(qdrant, name, video, { signal }),
    changeRecord: (video, change, { signal } = {}) => changeRecord(qdrant, name, video, change, { signal }),
    records: (options = {}) => readRecords(qdrant, name, options),
    optimize: async ({ signal } = {}) => {
      signal?.throwIfAborted()
      // The server builds its index in the background, and compacts by itself.
      await catchUp(qdrant, name, { signal })
    },
    describe: () => describe(qdrant, name, calls, isExact),
    // Idle connections close by themselves and keep no process alive.
    close: async () => {},
  }
}

type PointCalls = Pick<
  Store,
  'pointIds' | 'scan' | 'points' | 'setPath' | 'deletePoints' | 'deleteVideo' | 'countPoints'
>

const pointCalls = (qdrant: Qdrant, name: string): PointCalls => ({
  pointIds: async (video, { signal } = {}) => {
    const ids = new Set<string>()
    const request = { filter: ofVideo(video), limit: idPage, with_payload: false }
    for await (const { id } of scroll(qdrant, name, request, { signal })) ids.add(String(id))
    return ids
  },
  scan: async function* (filter, { signal } = {}) {
    if (filter.videos?.length === 0 || filter.within?.length === 0) return
    const request = { filter: conditionsOf(filter), limit: vectorPage, with_payload: true, with_vector: true }
    for await (const point of scroll(qdrant, name, request, { signal })) yield pointOf(point)
  },
  points: (ids, { signal } = {}) => readPoints(qdrant, name, ids, { signal }),
  setPath: async (video, path, { signal } = {}) => {
    const request = { collection_name: name, wait: true, payload: { path }, filter: ofVideo(video) }
    await qdrant.ask((api, init) => api.setPayload(request, init), { signal, timeoutSeconds: writeSeconds })
  },
  deletePoints: (video, options = {}) => deletePoints(qdrant, name, video, options),
  deleteVideo: async (video, { signal } = {}) => {
    await changeRecord(qdrant, name, video, (record) => record && beingRemoved(record), { signal })
    await deletePoints(qdrant, name, video, { signal })
    await deleteRecord(qdrant, name, video, { signal })
  },
  countPoints: async (video, { signal } = {}) => {
    const request = { collection_name: name, exact: true, ...(video === undefined ? {} : { filter: ofVideo(video) }) }
    return (await qdrant.ask((api, init) => api.countPoints(request, init), { signal })).count
  },
})

const deletePoints = async (qdrant: Qdrant, name: string, video: string, { signal }: CallOptions): Promise<void> => {
  const request = { collection_name: name, wait: true, filter: ofVideo(video) }
  await qdrant.ask((api, init) => api.deletePoints(request, init), { signal, timeoutSeconds: writeSeconds })
}

const readPoints = async (
  qdrant: Qdrant,
  name: string,
  ids: readonly string[],
  { signal }: CallOptions,
): Promise<ReadonlyMap<string, Point>> => {
  signal?.throwIfAborted()
  const found = new Map<string, Point>()
  for (let at = 0; at < ids.length; at += vectorPage) {
    const page = { ids: ids.slice(at, at + vectorPage), with_vector: true, with_payload: true, collection_name: name }
    const points = await qdrant.ask((api, init) => api.getPoints(page, init), { signal })
    for (const point of points.map(pointOf)) found.set(point.id, point)
  }
  return found
}

const describe = async (qdrant: Qdrant, name: string, { countPoints }: PointCalls, isExact: Searcher['isExact']) => {
  const facts = [qdrant.version(), countPoints(), collectionInfo(qdrant, name), isExact({})] as const
  const [version, points, info, exact] = await Promise.all(facts)
  return {
    engine: 'qdrant',
    version,
    points,
    exact,
    quantised: Boolean(info?.config.quantization_config),
    indexed: info?.indexed_vectors_count ?? 0,
    status: info?.status ?? 'missing',
    segments: info?.segments_count ?? 0,
  }
}
