import { createHash } from 'node:crypto'
import { dirname, relative, sep } from 'node:path'
import { UsageError } from '../errors.ts'
import { rootFinder } from './paths.ts'

/** A part of the files, `i/n`: the i-th of n, counted from 1. */
export type Shard = `${number}/${number}`

/** Whether a file (absolute) belongs to the shard. */
export type ShardTest = (path: string) => boolean

/** More parts than anybody has machines, and few enough that 48 bits of a hash spread evenly over them. */
const mostShards = 1_000_000

/**
 * Which files belong to a shard: of n shards each file belongs to exactly one, whatever other files there are.
 *
 * What counts is the path below the folder that was named, or the name alone of a file that was named itself. So all
 * machines agree where the same folder is mounted in different places, on different systems too.
 *
 * @param roots files and folders that were named, absolute; their order does not matter
 * @throws UsageError if `shard` is none: `2/8` is the second of eight
 */
export const shardTest = (shard: string, roots: readonly string[]): ShardTest => {
  const [part, of] = partsOf(shard)
  // macOS takes names apart into letters and accents, others leave them as they were written.
  const composed = (path: string) => path.normalize('NFC')
  const rootOf = rootFinder(roots.map(composed))
  return (path) => hashOf(sharedName(composed(path), rootOf(path))) % of === part - 1
}

const partsOf = (shard: string): readonly [number, number] => {
  const [part, of] = /^(\d+)\/(\d+)$/.exec(shard)?.slice(1).map(Number) ?? []
  if (part && of && part <= of && of <= mostShards) return [part, of]
  throw new UsageError(`Expected a shard i/n with i from 1 to n (at most ${mostShards}), got "${shard}"`, {
    remedy: 'On the second of eight machines: --shard 2/8',
  })
}

/** The path below its root, or the name of a file that is itself a root; written alike on every system. */
const sharedName = (path: string, root: string | undefined): string => {
  const below = root === undefined ? path : relative(root === path ? dirname(path) : root, path)
  return below.split(sep).join('/')
}

/** The first 48 bits of the SHA-256. */
const hashOf = (text: string): number => createHash('sha256').update(text).digest().readUIntBE(0, 6)
