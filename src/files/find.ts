import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type ShardTest, shardTest } from './shard.ts'
import { findVideos } from './walk.ts'

/** What is to be indexed, before anything is touched. */
export type FoundFiles = {
  /** The files and folders that were named, absolute. */
  readonly roots: readonly string[]
  /** Files that may be videos, absolute. */
  readonly paths: readonly string[]
  /** Size of them all together. */
  readonly bytes: number
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
  /** Files that may be videos and belong to other shards. */
  readonly otherShards: number
  /** Whether a path, of a file that is gone too, is this run's business. */
  readonly isOurs: ShardTest
}

export type FindFilesOptions = {
  /** Which part of the files, `i/n`; left out: all of them. */
  readonly shard?: string
  readonly signal?: AbortSignal
}

/**
 * Walks the files and folders that were named.
 * @throws VidgrepError if one of them is not there, or `shard` is none
 */
export const findFiles = async (
  named: readonly string[],
  { shard, signal }: FindFilesOptions = {},
): Promise<FoundFiles> => {
  const roots = named.map((path) => resolve(path))
  const isOurs = shard === undefined ? () => true : shardTest(shard, roots)
  const paths: string[] = []
  const skipped: { path: string; reason: string }[] = []
  let [bytes, otherShards] = [0, 0]
  for await (const item of findVideos(roots, { signal })) {
    if ('skipped' in item) {
      if (isOurs(item.path)) skipped.push({ path: item.path, reason: item.skipped })
    } else if (isOurs(item.path)) {
      paths.push(item.path)
      bytes += await sizeOf(item.path)
    } else {
      otherShards += 1
    }
  }
  return { roots, paths, bytes, skipped, otherShards, isOurs }
}

/** Only for the progress: a file that cannot be looked at fails later, with its reason. */
const sizeOf = async (path: string): Promise<number> => {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}
