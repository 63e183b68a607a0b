import { UsageError } from '../errors.ts'

/** Short enough for a file's name and for a database's, also with a word behind it. */
const longestName = 200

/** @throws UsageError if it is no name for a collection: letters (a–z), digits, `-` and `_`, at most 200 of them */
export const checkCollectionName = (name: string): void => {
  if (/^[A-Za-z0-9_-]+$/.test(name) && name.length <= longestName) return
  throw new UsageError(
    `Expected a collection's name of letters, digits, "-" and "_" (at most ${longestName}), got ${JSON.stringify(name)}`,
    { remedy: 'Name it like this: --collection my-videos_2' },
  )
}
