import type { Index, OpenIndexOptions } from '../index.ts'

/** Opens a collection for as long as `use` runs. The library is loaded only here, so that `--help` need not wait. */
export const withIndex = async <T>(options: OpenIndexOptions, use: (index: Index) => Promise<T>): Promise<T> => {
  const { openIndex } = await import('../index.ts')
  const index = await openIndex(options)
  try {
    return await use(index)
  } finally {
    await index.close()
  }
}
