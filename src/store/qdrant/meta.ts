import { type CallOptions, type Collection, schemaVersion } from '../store.ts'
import { type Qdrant, writeSeconds } from './client.ts'
import { recordsCollection } from './collections.ts'
import { isNotFound } from './failures.ts'

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

/** Puts another collection in force under this name. One request, so readers see the one or the other. */
export const pointTo = async (
  qdrant: Qdrant,
  name: string,
  { contents, replaced, ...facts }: Meta,
  { signal }: CallOptions,
): Promise<void> =>
  setMeta(qdrant, name, { payload: { ...facts, contents: contents ?? null, replaced: replaced ?? null } }, { signal })

/** Changes what the collection remembers of itself; with `key` only what is said there, beside what others say. */
export const setMeta = async (
  qdrant: Qdrant,
  name: string,
  change: { readonly key?: string; readonly payload: Record<string, unknown> },
  { signal }: CallOptions,
): Promise<void> => {
  const request = { collection_name: recordsCollection(name), wait: true, points: [metaId], ...change }
  await qdrant.ask((api, init) => api.setPayload(request, init), { signal, timeoutSeconds: writeSeconds })
}
