import { existsSync } from 'node:fs'
import { UsageError } from '../errors.ts'
import type { CallOptions, Store, VideoRecord } from '../store/store.ts'
import type { VideoPlace } from './query.ts'
import type { FoundVideo } from './timeline.ts'

/** Which videos to search. A video has to pass all of them. */
export type VideoFilter = {
  /** Only videos whose path matches one of these globs. */
  readonly paths?: readonly string[]
  /** Only videos at least so long, in seconds. */
  readonly longerSeconds?: number
  /** Only videos at most so long, in seconds. */
  readonly shorterSeconds?: number
  /** Only videos recorded at this time or later, by what their file says; one that does not say is left out. */
  readonly recordedAfter?: Date
  /** Only videos recorded before this time, by what their file says; one that does not say is left out. */
  readonly recordedBefore?: Date
  /** Only videos indexed at this time or later. */
  readonly indexedSince?: Date
  /** Only videos of this shape, as displayed. */
  readonly aspect?: Aspect
}

export const aspects = ['landscape', 'portrait', 'square'] as const
export type Aspect = (typeof aspects)[number]

/** How far from 1 the sides' ratio of what people call a square may be. */
const squareTolerance = 0.05

/**
 * The videos that pass a filter, each with the path to show.
 *
 * @returns by fingerprint; `undefined` where nothing is asked of the videos
 * @throws UsageError if a glob is empty or a bound is out of range
 */
export const matchVideos = async (
  records: readonly VideoRecord[],
  { paths, ...filter }: VideoFilter,
): Promise<ReadonlyMap<string, string> | undefined> => {
  if (!hasFilter({ paths, ...filter })) return undefined
  checkFilter(filter)
  const { matchPaths } = await import('../files/paths.ts')
  return matchPaths(
    records.filter((record) => passes(record, filter)),
    paths ?? [],
  )
}

/** Whether a filter asks anything of the videos, so that their records have to be read. */
export const hasFilter = (filter: VideoFilter): boolean => filterNames.some((name) => filter[name] !== undefined)

const filterNames = [
  'paths',
  'longerSeconds',
  'shorterSeconds',
  'recordedAfter',
  'recordedBefore',
  'indexedSince',
  'aspect',
] as const satisfies readonly (keyof VideoFilter)[]

const passes = (record: VideoRecord, filter: Omit<VideoFilter, 'paths'>): boolean => {
  const { longerSeconds, shorterSeconds, recordedAfter, recordedBefore, indexedSince, aspect } = filter
  const { durationSeconds = Number.NaN, recordedAt = '', indexedAt } = record
  const recordedMs = Date.parse(recordedAt)
  return (
    (longerSeconds === undefined || durationSeconds >= longerSeconds) &&
    (shorterSeconds === undefined || durationSeconds <= shorterSeconds) &&
    (recordedAfter === undefined || recordedMs >= recordedAfter.getTime()) &&
    (recordedBefore === undefined || recordedMs < recordedBefore.getTime()) &&
    (indexedSince === undefined || Date.parse(indexedAt) >= indexedSince.getTime()) &&
    (aspect === undefined || aspectOf(record) === aspect)
  )
}

const aspectOf = ({ width, height }: VideoRecord): Aspect | undefined => {
  if (!width || !height) return undefined
  const ratio = width / height
  if (Math.abs(ratio - 1) <= squareTolerance) return 'square'
  return ratio > 1 ? 'landscape' : 'portrait'
}

/** @throws UsageError if a bound is out of range */
const checkFilter = ({ aspect, ...filter }: Omit<VideoFilter, 'paths'>): void => {
  for (const name of ['longerSeconds', 'shorterSeconds'] as const) {
    const seconds = filter[name]
    if (seconds === undefined || seconds >= 0) continue
    throw new UsageError(`Expected a length of 0 seconds or more, got ${seconds}`, { remedy: 'Use for instance 90' })
  }
  for (const name of ['recordedAfter', 'recordedBefore', 'indexedSince'] as const) {
    if (filter[name] === undefined || !Number.isNaN(filter[name].getTime())) continue
    throw new UsageError(`Expected ${name} to be a date, got an invalid one`, { remedy: "Use new Date('2024-06-30')" })
  }
  if (aspect === undefined || aspects.includes(aspect)) return
  throw new UsageError(`Expected an aspect out of ${aspects.join(', ')}, got ${aspect}`, { remedy: 'Leave it out' })
}

/**
 * The video of a place, named by its fingerprint, its path or the end of one.
 *
 * @returns `undefined` for a file that is not in the collection
 * @throws UsageError if there is no such video, or several
 */
export const placeOf = async (
  store: Pick<Store, 'record' | 'records'>,
  { video }: Pick<VideoPlace, 'video'>,
  options: CallOptions,
): Promise<FoundVideo | undefined> => {
  const { videoNamed } = await import('./timeline.ts')
  try {
    return await videoNamed(store, video, options)
  } catch (error) {
    if (error instanceof UsageError && existsSync(video)) return undefined
    throw error
  }
}
