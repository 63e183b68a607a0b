import type { Schemas } from '@qdrant/js-client-rest'
import { change, type Kept, newCollection, pointCalls } from './collection.ts'
import { Refusal } from './refusal.ts'

/** Collections by name. */
export type Database = Map<string, Kept>

/** What a call answers, in Qdrant's envelope; the types are those of its OpenAPI description. */
export const route = (
  database: Database,
  method: string,
  path: string,
  body: unknown,
  query: URLSearchParams,
): unknown => {
  const [root, name, ...rest] = path.split('/').slice(1).map(decodeURIComponent)
  if (method === 'GET' && path === '/') {
    const version: Schemas['VersionInfo'] = { title: 'qdrant - vector search engine', version: '1.18.3' }
    return version
  }
  if (root !== 'collections') throw new Refusal(404, '')
  if (!name) return ok<Schemas['CollectionsResponse']>({ collections: [...database.keys()].map((name) => ({ name })) })
  if (method === 'GET' && rest[0] === 'exists')
    return ok<Schemas['CollectionExistence']>({ exists: database.has(name) })
  if (rest.length === 0) return ok(wholeCollection(database, method, name, body))
  const collection = database.get(name)
  if (!collection) throw missing(name)
  const call = pointCalls[`${method} ${rest.join('/')}`]
  if (!call) throw new Refusal(404, '')
  return ok(call(collection, body as never, query))
}

const ok = <T>(result: T) => ({ result, status: 'ok', time: 0.0001 })

const missing = (name: string) => new Refusal(404, `Not found: Collection \`${name}\` doesn't exist!`)

const wholeCollection = (database: Database, method: string, name: string, body: unknown) => {
  const collection = database.get(name)
  if (method === 'PUT') {
    if (collection) throw new Refusal(409, `Wrong input: Collection \`${name}\` already exists!`)
    database.set(name, newCollection(body as Schemas['CreateCollection']))
    return true
  }
  if (method === 'DELETE') return database.delete(name)
  if (method !== 'GET' && method !== 'PATCH') throw new Refusal(404, '')
  if (!collection) throw missing(name)
  return method === 'PATCH' ? change(collection, body as Schemas['UpdateCollection']) : infoOf(collection)
}

/** The parts of a collection's description that vary here. */
const infoOf = ({ points, indexes, ...kept }: Kept) => ({
  status: 'green' satisfies Schemas['CollectionStatus'],
  optimizer_status: 'ok' satisfies Schemas['OptimizersStatus'],
  indexed_vectors_count: 0,
  points_count: points.size,
  segments_count: 2,
  config: {
    params: {
      vectors: { ...kept.vectors, ...(kept.onDisk === undefined ? {} : { on_disk: kept.onDisk }) },
      shard_number: 1,
      replication_factor: 1,
      write_consistency_factor: 1,
      on_disk_payload: true,
    },
    optimizer_config: { indexing_threshold: 10_000 },
    quantization_config: kept.quantization,
  },
  payload_schema: Object.fromEntries(
    [...indexes].map(([field, data_type]) => [field, { data_type, points: points.size }]),
  ),
})
