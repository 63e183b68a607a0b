import { UsageError } from '../errors.ts'
import { isGone } from '../files/files.ts'
import { matchPaths } from '../files/paths.ts'
import type { Store, VideoFile, VideoRecord } from '../store/store.ts'
import { dropIfHomeless } from './catalogue.ts'

/**
 * Takes videos out of the collection; the files stay. A video goes whole, whichever of its paths was named.
 * @param globs paths or globs as in `search --path`
 * @throws UsageError if nothing fits one of them
 */
export const forget = async (store: Store, globs: readonly string[]): Promise<readonly VideoRecord[]> => {
  const records = await store.records()
  const named = new Set<string>()
  for (const glob of globs) {
    const matching = matchPaths(records, [glob])
    if (matching.size === 0) {
      throw new UsageError(`No video of the collection lies at ${glob}`, {
        remedy: 'See what there is: vidgrep videos',
      })
    }
    for (const video of matching.keys()) named.add(video)
  }
  const gone = records.filter(({ video }) => named.has(video))
  for (const { video } of gone) await store.deleteVideo(video)
  await store.optimize()
  return gone
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
    for (const { record, gone } of changed) await forgetFiles(store, record, gone)
    if (changed.length > 0) await store.optimize()
  }
  return changed.flatMap(({ gone }) => gone.map(({ path }) => path))
}

const withoutGone = async (record: VideoRecord) => {
  const gone: VideoFile[] = []
  for (const file of record.files) if (await isGone(file.path)) gone.push(file)
  return { record, gone, left: record.files.filter((file) => !gone.includes(file)) }
}

const forgetFiles = async (store: Store, { video }: VideoRecord, gone: readonly VideoFile[]): Promise<void> => {
  const isLeft = ({ path }: VideoFile) => !gone.some((file) => file.path === path)
  const changed = await store.changeRecord(video, (now) => now && { ...now, files: now.files.filter(isLeft) })
  const first = changed?.files[0]
  if (first) await store.setPath(video, first.path)
  else await dropIfHomeless(store, video)
}
