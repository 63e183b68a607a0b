import { isServer } from '../settings.ts'
import type { OpenStore, Store } from './store.ts'

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
    const { openQdrantStore } = await import('./qdrant/store.ts')
    return openQdrantStore(location, { ...options, ...(apiKey ? { apiKey } : {}) })
  }
  const { openEmbeddedStore } = await import('./embedded/store.ts')
  return openEmbeddedStore(location, options)
}
