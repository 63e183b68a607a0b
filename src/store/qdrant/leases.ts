import type { CallOptions } from '../store.ts'
import { type Qdrant, writeSeconds } from './client.ts'
import { recordsCollection } from './collections.ts'
import { metaId, setMeta } from './meta.ts'

/**
 * How long a process counts as loading after it last said so, in milliseconds. Clocks of machines may differ by four
 * minutes: more costs time, as the index is then kept while somebody loads, but nothing else.
 */
export const leaseMs = 5 * 60_000

/** How often a process that loads says so again, in milliseconds. */
export const renewMs = 60_000

/** Where the leases stand in the point about the collection: by the id of the process that holds them. */
const key = 'loading'

/** What a process leaves behind while it keeps the index from being built, so that others can undo it after a crash. */
export type Lease = {
  /** Milliseconds since 1970. */
  readonly untilMs: number
  /** What `indexing_threshold` was before, and is to be again. */
  readonly indexingThreshold: number
}

/** Leases by loader. */
export type Leases = Readonly<Record<string, Lease>>

export const readLeases = async (qdrant: Qdrant, name: string, { signal }: CallOptions): Promise<Leases> => {
  const request = { collection_name: recordsCollection(name), ids: [metaId], with_payload: [key], with_vector: false }
  const [point] = await qdrant.ask((api, init) => api.getPoints(request, init), { signal })
  return (point?.payload?.[key] ?? {}) as Leases
}

/** Writes one lease, whatever others write at the same time. */
export const putLease = (
  qdrant: Qdrant,
  name: string,
  loader: string,
  lease: Lease,
  { signal }: CallOptions,
): Promise<void> => setMeta(qdrant, name, { key, payload: { [loader]: lease } }, { signal })

export const dropLeases = async (
  qdrant: Qdrant,
  name: string,
  loaders: readonly string[],
  { signal }: CallOptions,
): Promise<void> => {
  if (loaders.length === 0) return
  const keys = loaders.map((loader) => `${key}.${loader}`)
  const request = { collection_name: recordsCollection(name), wait: true, points: [metaId], keys }
  await qdrant.ask((api, init) => api.deletePayload(request, init), { signal, timeoutSeconds: writeSeconds })
}
