import { UsageError } from '../../errors.ts'
import {
  type CallOptions,
  type Collection,
  CollectionMissingError,
  checkCollectionName,
  schemaVersion,
} from '../store.ts'
import { type Connect, connect, type Qdrant, type Schemas, writeSeconds } from './client.ts'
import { isNotFound } from './failures.ts'

const recordsSuffix = '-videos'

/** The small collection, without vectors, that holds the records of a collection's videos. */
export const recordsCollection = (name: string): string => name + recordsSuffix

/** @throws UsageError if it is no name, or one that a collection of records would have */
export const checkName = (name: string): void => {
  checkCollectionName(name)
  if (!name.endsWith(recordsSuffix)) return
  throw new UsageError(`Expected a name that does not end in "${recordsSuffix}", got "${name}"`, {
    remedy: `Records of videos are kept under such names; take another one, such as --collection ${name.slice(0, -recordsSuffix.length) || 'videos'}`,
  })
}

/** What the server says of a collection, `undefined` if it has none of that name. */
export const collectionInfo = async (
  qdrant: Qdrant,
  name: string,
  { signal }: CallOptions = {},
): Promise<Schemas['CollectionInfo'] | undefined> => {
  try {
    return await qdrant.ask((api, init) => api.getCollection({ collection_name: name }, init), { signal })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** A collection of ours has one of records beside it, or only that, which then says where the points are. */
export const collectionNames = async (qdrant: Qdrant, { signal }: CallOptions = {}): Promise<string[]> => {
  const { collections } = await qdrant.ask((api, init) => api.getCollections({}, init), { signal })
  const names = new Set(collections.map(({ name }) => name))
  const ours = [...names].filter((name) => names.has(recordsCollection(name)))
  for (const name of names) {
    const owner = name.slice(0, -recordsSuffix.length)
    if (!name.endsWith(recordsSuffix) || names.has(owner)) continue
    if ((await readMeta(qdrant, owner, { signal }))?.contents) ours.push(owner)
  }
  return ours.sort()
}

/** The point among the records that describes the collection itself; an id for all time. */
export const metaId = 'c0111ec7-0000-4000-8000-000000000000'

/** What a collection remembers of itself, as stored. */
export type Meta = {
  readonly model: string
  readonly dimension: number
  readonly schemaVersion: number
  /** Steps of migrations/ that were applied, each with its time, ISO 8601. */
  readonly migrations: Readonly<Record<string, string>>
  /** Name of another collection that holds the points and records, see replace.ts. */
  readonly contents?: string
  /** Name of the collection that held them before and may not be deleted yet. */
  readonly replaced?: string
}

export const collectionOf = (name: string, { model, dimension, schemaVersion }: Meta): Collection => ({
  name,
  model,
  dimension,
  schemaVersion,
})

/** `undefined` where there is no such collection, or one that is not ours. */
export const readMeta = async (qdrant: Qdrant, name: string, { signal }: CallOptions): Promise<Meta | undefined> => {
  const collection_name = recordsCollection(name)
  try {
    const request = { collection_name, ids: [metaId], with_payload: true, with_vector: false }
    const [point] = await qdrant.ask((api, init) => api.getPoints(request, init), { signal })
    return metaFrom(point?.payload)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

const metaFrom = (payload: unknown): Meta | undefined => {
  const { model, dimension, schemaVersion, migrations, ...places } = (payload ?? {}) as Partial<Meta>
  if (typeof model !== 'string' || !Number.isInteger(dimension) || !Number.isInteger(schemaVersion)) return undefined
  const { contents, replaced } = places
  return {
    model,
    dimension: dimension!,
    schemaVersion: schemaVersion!,
    migrations: migrations ?? {},
    contents: contents ?? undefined,
    replaced: replaced ?? undefined,
  }
}

/** Writes it unless another process was first (servers before 1.17 let the last one win). Read it afterwards. */
export const claim = async (qdrant: Qdrant, name: string, meta: Meta, { signal }: CallOptions): Promise<void> => {
  const request = {
    collection_name: recordsCollection(name),
    wait: true,
    ordering: 'strong' as const,
    update_mode: 'insert_only' as const,
    points: [{ id: metaId, vector: {}, payload: { ...meta } }],
  }
  await qdrant.ask((api, init) => api.upsertPoints(request, init), { signal, timeoutSeconds: writeSeconds })
}

/** Records one step as applied, whatever others record at the same time. */
export const recordStep = async (qdrant: Qdrant, name: string, step: string, { signal }: CallOptions): Promise<void> =>
  setMeta(qdrant, name, { key: 'migrations', payload: { [step]: new Date().toISOString() } }, { signal })

/** Says that the collection now is as this version writes it. */
export const recordSchemaVersion = async (qdrant: Qdrant, name: string, { signal }: CallOptions): Promise<void> =>
  setMeta(qdrant, name, { payload: { schemaVersion } }, { signal })

/** Lets this name stand for another collection. One request, so readers see the one or the other. */
export const pointTo = async (
  qdrant: Qdrant,
  name: string,
  { contents, replaced, ...facts }: Meta,
  { signal }: CallOptions,
): Promise<void> =>
  setMeta(qdrant, name, { payload: { ...facts, contents: contents ?? null, replaced: replaced ?? null } }, { signal })

/** Changes what the collection remembers of itself; with `key` only what is said there, beside what others say. */
const setMeta = async (
  qdrant: Qdrant,
  name: string,
  change: { readonly key?: string; readonly payload: Record<string, unknown> },
  { signal }: CallOptions,
): Promise<void> => {
  const request = { collection_name: recordsCollection(name), wait: true, points: [metaId], ...change }
  await qdrant.ask((api, init) => api.setPayload(request, init), { signal, timeoutSeconds: writeSeconds })
}

/*
 * `NAME-videos` stays and says where points and records are: in `contents` and `contents-videos`. An alias of the server
 * would do for readers, but a process that is open on NAME and writes embeddings of the old model would then write them
 * among the new ones. So it meets a collection that is not there, and ends.
 */

type Replace = Connect & CallOptions & { readonly name: string; readonly by: string }

/** {@link replaceCollection} on a server. */
export const replaceQdrantCollection = async (
  url: string,
  { name, by, signal, ...options }: Replace,
): Promise<void> => {
  const qdrant = await connect(url, options)
  const known = await metaOf(qdrant, name, { signal })
  const next = await metaOf(qdrant, by, { signal })
  const contents = next.contents ?? by
  const before = known.contents ?? name
  const changed: Meta = { ...next, contents, replaced: before === contents ? known.replaced : before }
  if (before !== contents) await pointTo(qdrant, name, changed, { signal })
  if (changed.replaced === undefined) return
  if (changed.replaced === name) await emptyOut(qdrant, name, { signal })
  else await drop(qdrant, [changed.replaced, recordsCollection(changed.replaced)], { signal })
  await pointTo(qdrant, name, { ...changed, replaced: undefined }, { signal })
}

const metaOf = async (qdrant: Qdrant, name: string, { signal }: CallOptions): Promise<Meta> => {
  const meta = await readMeta(qdrant, name, { signal })
  if (meta) return meta
  throw new CollectionMissingError(name, qdrant.location, await collectionNames(qdrant, { signal }))
}

/** Removes the points' collection and all records but the one that points elsewhere. */
const emptyOut = async (qdrant: Qdrant, name: string, { signal }: CallOptions): Promise<void> => {
  await drop(qdrant, [name], { signal })
  const filter = { must_not: [{ has_id: [metaId] }] }
  const request = { collection_name: recordsCollection(name), wait: true, filter }
  await qdrant.ask((api, init) => api.deletePoints(request, init), { signal, timeoutSeconds: writeSeconds })
}

/** Of a collection that is not there the server says so, and that is that. */
const drop = async (qdrant: Qdrant, names: readonly string[], { signal }: CallOptions): Promise<void> => {
  for (const collection_name of names) {
    await qdrant.ask((api, init) => api.deleteCollection({ collection_name }, init), {
      signal,
      timeoutSeconds: writeSeconds,
    })
  }
}
