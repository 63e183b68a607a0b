import { randomUUID } from 'node:crypto'
import { type CallOptions, StoreError } from '../store.ts'
import { type Qdrant, type Schemas, writeSeconds } from './client.ts'
import { collectionInfo } from './collections.ts'
import { dropLeases, leaseMs, putLease, readLeases, renewMs } from './leases.ts'

/*
 * A server that indexes while much is being written builds the same graph several times over. So a process that writes
 * much turns indexing off and on again when it is done. It says so first, in a lease beside the collection: as long as
 * indexing is off by our doing there is a lease, and who finds only leases that ran out turns it on again.
 */

/** Points that a process writes before it counts as loading: fewer are indexed in a minute. */
export const loadingFromPoints = 20_000

/** Turns indexing off in Qdrant's settings of a collection. */
const off = 0

export type Loading = {
  /** Called before so many points are written. */
  expect(points: number, options: CallOptions): Promise<void>
  /** All is written: indexing is turned on again, unless another process is still loading. */
  end(options: CallOptions): Promise<void>
}

/** Keeps the index from being built while this process writes much. */
export const loadingOf = (qdrant: Qdrant, name: string): Loading => {
  const loader = randomUUID()
  let written = 0
  let lookAt = loadingFromPoints
  let held: { readonly before: number; renewAtMs: number } | undefined
  return {
    expect: async (points, options) => {
      written += points
      if (held && Date.now() >= held.renewAtMs) {
        held.renewAtMs = Date.now() + renewMs
        await turnOff(qdrant, name, loader, held.before, options)
      }
      if (held || written < lookAt) return
      lookAt = 2 * written
      const before = await thresholdToKeep(qdrant, name, written, options)
      if (before === undefined) return
      held = { before, renewAtMs: Date.now() + renewMs }
      await turnOff(qdrant, name, loader, before, options)
    },
    end: async (options) => {
      if (!held) return
      const { before } = held
      // Marked as over, not dropped: were this the last thing done, another process could still see what is left to do.
      await putLease(qdrant, name, loader, { untilMs: 0, indexingThreshold: before }, options)
      await turnOnUnlessLoading(qdrant, name, options)
      held = undefined
      ;[written, lookAt] = [0, loadingFromPoints]
    },
  }
}

/** Whether indexing is turned off, by whomever. */
export const isIndexingOff = ({ config }: Schemas['CollectionInfo']): boolean =>
  config.optimizer_config.indexing_threshold === off

/**
 * Turns indexing on again where those that turned it off are gone. Where it was turned off by somebody else, who left
 * no lease, it stays off. A key that may only read leaves things as they are.
 */
export const resumeIndexing = async (
  qdrant: Qdrant,
  name: string,
  info: Schemas['CollectionInfo'],
  options: CallOptions,
): Promise<void> => {
  if (!isIndexingOff(info)) return
  try {
    await turnOnUnlessLoading(qdrant, name, options)
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'store-unauthorized')) throw error
  }
}

/** Leases that ran out are dropped last: until then they tell that there is something to do. */
const turnOnUnlessLoading = async (qdrant: Qdrant, name: string, options: CallOptions): Promise<void> => {
  const leases = Object.entries(await readLeases(qdrant, name, options))
  const over = leases.filter(([, { untilMs }]) => untilMs <= Date.now())
  if (over.length > 0 && over.length === leases.length) {
    await setThreshold(qdrant, name, over[0]![1].indexingThreshold, options)
  }
  const loaders = over.map(([loader]) => loader)
  await dropLeases(qdrant, name, loaders, options)
}

/**
 * The setting to come back to; `undefined` if indexing is better left alone. With indexing off the server may put an
 * indexed part together with new points, and the index of that part is gone: so not for a little more of much.
 */
const thresholdToKeep = async (
  qdrant: Qdrant,
  name: string,
  written: number,
  options: CallOptions,
): Promise<number | undefined> => {
  const info = await collectionInfo(qdrant, name, options)
  if (!info || (info.indexed_vectors_count ?? 0) > written) return undefined
  if (!isIndexingOff(info)) return info.config.optimizer_config.indexing_threshold ?? undefined
  // Another process that is loading knows it; without one it is somebody else's setting.
  const [lease] = Object.values(await readLeases(qdrant, name, options))
  return lease?.indexingThreshold
}

/** The lease comes first. Another process may have taken an old one for abandoned, so the setting is looked at each time. */
const turnOff = async (
  qdrant: Qdrant,
  name: string,
  loader: string,
  indexingThreshold: number,
  options: CallOptions,
): Promise<void> => {
  await putLease(qdrant, name, loader, { untilMs: Date.now() + leaseMs, indexingThreshold }, options)
  const info = await collectionInfo(qdrant, name, options)
  if (info && !isIndexingOff(info)) await setThreshold(qdrant, name, off, options)
}

const setThreshold = async (
  qdrant: Qdrant,
  collection_name: string,
  indexing_threshold: number,
  { signal }: CallOptions,
): Promise<void> => {
  const request = { collection_name, optimizers_config: { indexing_threshold } }
  await qdrant.ask((api, init) => api.updateCollection(request, init), { signal, timeoutSeconds: writeSeconds })
}
