import { UsageError } from '../errors.ts'
import { isGone } from '../files/files.ts'
import { matchPaths } from '../files/paths.ts'
import type { Store, VideoFile, VideoRecord } from '../store/store.ts'
import { deleteIfPathless } from './catalogue.ts'

/** What became of a video of which a place was removed. */
export type RemovedPlaces = {
  readonly video: string
  /** Paths that the collection forgot. */
  readonly removed: readonly string[]
  /** Paths of copies that it keeps; none: the video is gone with its points. */
  readonly left: readonly string[]
}

/**
 * Takes places out of the collection; the files stay. A video goes with its last place.
 * @param globs paths or globs as in `search --path`
 * @throws UsageError before anything is removed, if nothing fits one of them
 */
export const forget = async (store: Store, globs: readonly string[]): Promise<readonly RemovedPlaces[]> => {
  const records = await store.records()
  // Each place by itself: a glob may name some places of a video and not others.
  const known = records.flatMap(({ files }) => files.map((file) => ({ video: file.path, files: [file] })))
  const named = new Set<string>()
  for (const glob of globs) {
    const matching = matchPaths(known, [glob])
    if (matching.size === 0) {
      throw new UsageError(`No video of the collection lies at ${glob}`, {
        remedy: 'See what there is: vidgrep videos',
      })
    }
    for (const path of matching.keys()) named.add(path)
  }
  const places: RemovedPlaces[] = []
  for (const { video, files } of records) {
    const removed = pathsOf(files).filter((path) => named.has(path))
    if (removed.length > 0) places.push({ video, removed, left: await forgetPaths(store, video, removed) })
  }
  await store.optimize()
  return places
}

/** Takes exactly these files out of the collection. A video goes with its last place. */
export const forgetFiles = async (store: Store, paths: readonly string[]): Promise<void> => {
  const gone = new Set(paths)
  for (const { video, files } of await store.records()) {
    const named = pathsOf(files).filter((path) => gone.has(path))
    if (named.length > 0) await forgetPaths(store, video, named)
  }
  await store.optimize()
}

export type PruneOptions = {
  /** Only look. */
  readonly dryRun?: boolean
  /** Go on even if not one file of the collection is left. */
  readonly all?: boolean
}

/**
 * Forgets the files that are gone. A video that has no other place goes with its points.
 * @returns the paths that are gone
 * @throws UsageError if all files are gone, which looks like a disk that is not there and not like a wish
 */
export const prune = async (store: Store, { dryRun, all }: PruneOptions): Promise<readonly string[]> => {
  const records = await Promise.all((await store.records()).map(withoutGone))
  const changed = records.filter(({ gone, left }) => gone.length > 0 || left.length === 0)
  if (!all && !dryRun && records.length > 0 && records.every(({ left }) => left.length === 0)) {
    throw new UsageError('Not one file of the collection can be found: is a disk missing?', {
      remedy: 'If they are really gone: vidgrep prune --all',
    })
  }
  if (!dryRun) {
    for (const { record, gone } of changed) await forgetPaths(store, record.video, pathsOf(gone))
    if (changed.length > 0) await store.optimize()
  }
  return changed.flatMap(({ gone }) => pathsOf(gone))
}

const withoutGone = async (record: VideoRecord) => {
  const gone: VideoFile[] = []
  for (const file of record.files) if (await isGone(file.path)) gone.push(file)
  return { record, gone, left: record.files.filter((file) => !gone.includes(file)) }
}

const pathsOf = (files: readonly VideoFile[]): string[] => files.map(({ path }) => path)

/** @returns the paths that the video still has */
const forgetPaths = async (store: Store, video: string, gone: readonly string[]): Promise<readonly string[]> => {
  const isLeft = ({ path }: VideoFile) => !gone.includes(path)
  const changed = await store.changeRecord(video, (now) => now && { ...now, files: now.files.filter(isLeft) })
  const left = pathsOf(changed?.files ?? [])
  if (left[0] === undefined) await deleteIfPathless(store, video)
  else await store.setPath(video, left[0])
  return left
}
