import type { OpenCollection } from '../collection.ts'
import type { Index, OpenIndexOptions } from '../index.ts'
import { settingsFrom } from '../settings.ts'
import type { Store } from '../store/store.ts'
import { warn } from './run.ts'

const onFetch = (name: string): void => warn(`Fetching ${name}, once; afterwards it works offline …`)

/** Opens a collection for as long as `use` runs. The library is loaded only here, so that `--help` need not wait. */
export const withIndex = async <T>(options: OpenIndexOptions, use: (index: Index) => Promise<T>): Promise<T> => {
  const { openIndex } = await import('../index.ts')
  return useAndClose(await openIndex({ onFetch, ...options }), use)
}

/** The same for what only searches: of the library it loads as much as that takes. */
export const withCollection = async <T>(
  options: OpenIndexOptions,
  use: (collection: OpenCollection) => Promise<T>,
): Promise<T> => {
  const { openCollection } = await import('../collection.ts')
  return useAndClose(await openCollection({ onFetch, ...options }), use)
}

/** The same for what needs no model: a collection can be looked through where its model never was. */
export const withStore = async <T>(options: OpenIndexOptions, use: (store: Store) => Promise<T>): Promise<T> => {
  const { store: location, collection, apiKey } = settingsFrom(options)
  const { openStore } = await import('../store/openStore.ts')
  return useAndClose(await openStore(location, { collection, apiKey }), use)
}

const useAndClose = async <R extends { close(): Promise<void> }, T>(
  opened: R,
  use: (opened: R) => Promise<T>,
): Promise<T> => {
  try {
    return await use(opened)
  } finally {
    await opened.close()
  }
}
