import { resolve } from 'node:path'
import { UsageError } from '../errors.ts'
import { matchPaths } from '../files/paths.ts'
import type { CallOptions, Point, Store, VideoRecord } from '../store/store.ts'

export type FoundVideo = { readonly record: VideoRecord; readonly path: string }

/**
 * The one video that is meant by a fingerprint, a path, or the end of one.
 * @throws UsageError if there is none, or several
 */
export const videoNamed = async (
  store: Pick<Store, 'record' | 'records'>,
  video: string,
  { signal }: CallOptions,
): Promise<FoundVideo> => {
  const known = video === '' ? undefined : await store.record(video, { signal })
  if (known?.files[0]) return { record: known, path: known.files[0].path }
  const records = await store.records({ signal })
  const path = resolve(video)
  const exact = records.find(({ files }) => files.some((file) => file.path === path))
  if (exact) return { record: exact, path }
  const matching = [...matchPaths(records, [video])]
  if (matching.length === 1) {
    const [[found, at]] = matching as [[string, string]]
    return { record: records.find((record) => record.video === found)!, path: at }
  }
  if (matching.length === 0) {
    throw new UsageError(`No video of the collection lies at ${video}`, { remedy: 'See what there is: vidgrep videos' })
  }
  const some = matching.slice(0, 3).map(([, at]) => at)
  throw new UsageError(
    `Expected one video, got ${matching.length}: ${some.join(', ')}${matching.length > 3 ? ', …' : ''}`,
    {
      remedy: 'Name its whole path',
    },
  )
}

/** A part of a video in seconds; the end is not part of it. */
export type Window = { readonly from: number; readonly to: number }

/** Seconds of a video that are read at once: 600 whole frames or 17,400 points at one frame a second of 29 patches. */
const windowSeconds = 600

/** Longer than any video, in seconds: a file's duration may be unknown, or a little short of its last frame. */
const longestSeconds = 1e7

/** A video in parts that fit into memory, in the order of time. */
export const windowsOf = ({ durationSeconds = 0 }: VideoRecord): readonly Window[] => {
  const starts = Array.from(
    { length: Math.max(1, Math.ceil(durationSeconds / windowSeconds)) },
    (_, i) => i * windowSeconds,
  )
  return starts.map((from, i) => ({ from: i === 0 ? -longestSeconds : from, to: starts[i + 1] ?? longestSeconds }))
}

/** Seconds between the sampled frames of a video, on average; 0 if its duration is unknown. */
export const sampledEverySeconds = ({ durationSeconds = 0, frames }: VideoRecord): number =>
  durationSeconds / Math.max(1, frames)

/**
 * Seconds from one sampled frame to the next: as they were asked for, if that says it, else on average. Of a video that
 * was not read to the end nobody knows, nor of one that has no record yet: 1.
 */
export const stepSecondsOf = (record: VideoRecord | undefined): number => {
  // The line that `madeWith` in ingest/sampling.ts writes.
  const [, every = 0] = /\bevery=([\d.]+)(?!.*\bdecode=keys\b)/.exec(record?.settings ?? '') ?? []
  return Number(every) || (record?.status === 'complete' && sampledEverySeconds(record)) || 1
}

/** Whether a video shows one colour at a time in seconds. */
export const isFlatAt = ({ flat = [] }: VideoRecord, t: number): boolean =>
  flat.some(([from, to]) => from <= t && t <= to)

/** At most so many of a list, from the middles of equal parts of it. */
export const evenly = <T>(all: readonly T[], most: number): readonly T[] =>
  all.length <= most ? all : Array.from({ length: most }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / most)]!)

/** The whole frames of a video, in the order of time, each from `t` to `until`. None if its grid has no whole frames. */
export async function* wholeFrames(
  store: Pick<Store, 'scan'>,
  record: VideoRecord,
  { signal }: CallOptions,
): AsyncGenerator<Point, void> {
  // At the first level, a model that cuts the sides off has squares of the full height instead.
  for (const patch of record.detail === 'whole' ? [0, 1] : [0]) {
    let isThere = false
    for (const { from, to } of windowsOf(record)) {
      const points: Point[] = []
      const filter = { videos: [record.video], patch, afterSeconds: from, beforeSeconds: to }
      for await (const point of store.scan(filter, { signal })) if (point.t >= from && point.t < to) points.push(point)
      yield* points.sort((a, b) => a.t - b.t)
      isThere ||= points.length > 0
    }
    if (isThere) return
  }
}
