import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { asOnDisk } from './paths.ts'
import { type ShardTest, shardTest } from './shard.ts'
import { findVideos, type SkippedFile, type WalkOptions } from './walk.ts'

/** What is to be indexed, before anything is touched. */
export type FoundFiles = {
  /** The files and folders that were named, absolute. */
  readonly roots: readonly string[]
  /** Files that may be videos, absolute. */
  readonly paths: readonly string[]
  /** Size of them all together. */
  readonly bytes: number
  readonly skipped: readonly SkippedFile[]
  /** Files that may be videos and belong to other shards. */
  readonly otherShards: number
  /** Whether a path, of a file that is gone too, is this run's business. */
  readonly isOurs: ShardTest
}

export type FindFilesOptions = WalkOptions & {
  /** Which part of the files, `i/n`; left out: all of them. */
  readonly shard?: string
  /** Leaves out files that it says no to. */
  readonly accept?: (path: string) => boolean
}

/**
 * Walks the files and folders that were named.
 * @throws UsageError if one of them does not exist, or `shard` or a pattern is wrong
 */
export const findFiles = async (
  named: readonly string[],
  { shard, accept = () => true, ...options }: FindFilesOptions = {},
): Promise<FoundFiles> => {
  const roots = await Promise.all(named.map((path) => asOnDisk(resolve(path))))
  const isOurs = shard === undefined ? () => true : shardTest(shard, roots)
  const paths: string[] = []
  const skipped: SkippedFile[] = []
  let [bytes, otherShards] = [0, 0]
  for await (const item of findVideos(roots, options)) {
    if ('kind' in item) {
      // Nobody knows whose videos lie in a folder that cannot be read.
      if (item.kind === 'unreadable' || isOurs(item.path)) skipped.push(item)
    } else if (!isOurs(item.path)) {
      otherShards += 1
    } else if (accept(item.path)) {
      paths.push(item.path)
      bytes += await sizeOf(item.path)
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
