import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { findVideos } from '../video/walk.ts'

/** What is to be indexed, before anything is touched. */
export type FoundFiles = {
  /** The files and folders that were named, absolute. */
  readonly roots: readonly string[]
  /** Files that may be videos, absolute. */
  readonly paths: readonly string[]
  /** Size of them all together. */
  readonly bytes: number
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
}

/**
 * Walks the files and folders that were named.
 * @throws VidgrepError if one of them is not there
 */
export const findFiles = async (roots: readonly string[], signal?: AbortSignal): Promise<FoundFiles> => {
  const paths: string[] = []
  const skipped: { path: string; reason: string }[] = []
  let bytes = 0
  for await (const item of findVideos(roots, { signal })) {
    if ('skipped' in item) {
      skipped.push({ path: item.path, reason: item.skipped })
    } else {
      paths.push(item.path)
      bytes += await sizeOf(item.path)
    }
  }
  return { roots: roots.map((root) => resolve(root)), paths, bytes, skipped }
}

/** Only for the progress: a file that cannot be looked at fails later, with its reason. */
const sizeOf = async (path: string): Promise<number> => {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}
