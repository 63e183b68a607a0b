import { type CallOptions, CollectionMissingError } from '../store.ts'
import { type Connect, connect, type Qdrant, writeSeconds } from './client.ts'
import { recordsCollection } from './collections.ts'
import { type Meta, metaId, pointTo, readMeta } from './meta.ts'
import { collectionNames } from './names.ts'

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
