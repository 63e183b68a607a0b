import type { Index, OpenIndexOptions } from '../index.ts'
import { warn } from './run.ts'

const onFetch = (name: string): void => warn(`Fetching ${name}, once; afterwards it works offline …`)

/** Opens a collection for as long as `use` runs. The library is loaded only here, so that `--help` need not wait. */
export const withIndex = async <T>(options: OpenIndexOptions, use: (index: Index) => Promise<T>): Promise<T> => {
  const { openIndex } = await import('../index.ts')
  const index = await openIndex({ onFetch, ...options })
  try {
    return await use(index)
  } finally {
    await index.close()
  }
}
