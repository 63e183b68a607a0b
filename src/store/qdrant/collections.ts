import { UsageError } from '../../errors.ts'
import { checkCollectionName } from '../name.ts'
import type { CallOptions } from '../store.ts'
import { type Connect, connect, type Qdrant, type Schemas } from './client.ts'
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

/**
 * Names of the collections that vidgrep keeps on a server, sorted.
 * @throws StoreError
 */
export const qdrantCollections = async (url: string, options: Connect & CallOptions = {}): Promise<string[]> =>
  collectionNames(await connect(url, options), options)

/** A collection of ours is one with a collection of records beside it. */
export const collectionNames = async (qdrant: Qdrant, { signal }: CallOptions = {}): Promise<string[]> => {
  const { collections } = await qdrant.ask((api, init) => api.getCollections({}, init), { signal })
  const names = new Set(collections.map(({ name }) => name))
  return [...names].filter((name) => names.has(recordsCollection(name))).sort()
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
