import type { CallOptions } from '../store.ts'
import { type Connect, connect, type Qdrant } from './client.ts'
import { recordsCollection, recordsSuffix } from './collections.ts'
import { readMeta } from './meta.ts'

/**
 * Names of the collections that vidgrep keeps on a server, sorted.
 * @throws StoreError
 */
export const qdrantCollections = async (url: string, options: Connect & CallOptions = {}): Promise<string[]> =>
  collectionNames(await connect(url, options), options)

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
