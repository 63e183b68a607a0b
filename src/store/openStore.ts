import { isServer } from '../settings.ts'
import type { MigrationStep } from './schema.ts'
import type { CallOptions, OpenStore, Store } from './store.ts'

/**
 * Opens one collection of a store: a Qdrant server if `location` is an http(s) address, else an embedded store in the
 * folder `location`. Only the engine that is needed is loaded.
 * @throws StoreError if it cannot be reached or belongs to another model
 */
export const openStore = async (
  location: string,
  { apiKey, ...options }: OpenStore & { readonly apiKey?: string },
): Promise<Store> => {
  if (isServer(location)) {
    const { openQdrantStore } = await import('./qdrant/qdrantStore.ts')
    return openQdrantStore(location, { ...options, apiKey })
  }
  const { openEmbeddedStore } = await import('./embedded/embeddedStore.ts')
  return openEmbeddedStore(location, options)
}

/**
 * Names of the collections in a store, sorted; none if nothing was ever stored there.
 * @throws StoreError if it cannot be reached
 */
export const collectionNames = async (
  location: string,
  { apiKey, signal }: CallOptions & { readonly apiKey?: string } = {},
): Promise<readonly string[]> => {
  if (isServer(location)) {
    const [{ connect }, { collectionNames }] = await Promise.all([
      import('./qdrant/client.ts'),
      import('./qdrant/collections.ts'),
    ])
    return collectionNames(await connect(location, { apiKey }), { signal })
  }
  const { collectionsIn } = await import('./embedded/folder.ts')
  return collectionsIn(location)
}

type ReplaceOptions = CallOptions & {
  /** The collection whose place is taken. */
  readonly name: string
  /** The collection that takes it: under its own name it can be opened as before. */
  readonly by: string
  readonly apiKey?: string
}

/**
 * Puts one collection of a store in the place of another: whoever opens `name` from now on gets `by`. What was there
 * goes. Readers find the one or the other at any time; a store that is open on the old one fails with its next call.
 * Called again after it was broken off, or with `name` itself as `by`, it removes what is left of an earlier one.
 * @throws CollectionMissingError if one of them is not there
 */
export const replaceCollection = async (location: string, { apiKey, ...options }: ReplaceOptions): Promise<void> => {
  if (isServer(location)) {
    const { replaceQdrantCollection } = await import('./qdrant/collections.ts')
    return replaceQdrantCollection(location, { ...options, apiKey })
  }
  const { replaceEmbeddedCollection } = await import('./embedded/folder.ts')
  return replaceEmbeddedCollection(location, options)
}

type MigrateOptions = CallOptions & {
  readonly collection: string
  /** Change nothing. */
  readonly dryRun?: boolean
  readonly apiKey?: string
}

/**
 * Brings what is stored of a collection up to date, as the next writer would. A second call does nothing; several
 * processes may do it at once, and what was broken off is finished by the next one.
 * @returns the steps that were applied, or with `dryRun` those that would be
 * @throws CollectionMissingError, SchemaTooNewError, StoreError
 */
export const migrateCollection = async (
  location: string,
  { apiKey, ...options }: MigrateOptions,
): Promise<MigrationStep[]> => {
  if (isServer(location)) {
    const { migrateQdrantCollection } = await import('./qdrant/migrations.ts')
    return migrateQdrantCollection(location, { ...options, apiKey })
  }
  const { migrateEmbeddedCollection } = await import('./embedded/embeddedStore.ts')
  return migrateEmbeddedCollection(location, options)
}
