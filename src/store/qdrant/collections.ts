import { UsageError } from '../../errors.ts'
import { checkCollectionName } from '../name.ts'
import type { CallOptions } from '../store.ts'
import type { Qdrant, Schemas } from './client.ts'
import { isNotFound } from './failures.ts'

export const recordsSuffix = '-videos'

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
