import type { CallOptions, Store, VideoRecord } from './store.ts'

/** A change of what is stored that was made, or would be. */
export type MigrationStep = {
  /** Such as "0002-index-payload". */
  readonly name: string
  readonly description: string
  /** What is asked of a Qdrant server, such as "PUT /collections/vidgrep/index {…}"; none for a change of the content. */
  readonly requests: readonly string[]
}

/** What brings a collection of schema 1 to schema 2, in every store. */
export const countFromStart: MigrationStep = {
  name: 'schema-2-times-from-start',
  description: 'Count times from the start of the file: videos whose clock starts elsewhere are indexed again',
  requests: [],
}

/**
 * The latest time of a first frame, in seconds, that is taken for one counted from the start of the file. Schema 1 counted
 * by the container's own clock: below that, times are off by less than anybody sees. Program streams begin at half a second.
 */
const latestFirstSeconds = 0.1

/**
 * Marks the videos of a collection of schema 1 whose times may have been counted by another clock, so that the next index
 * takes them for new ones; until then they are found as before. Safe to be broken off and made again.
 * @param points all points of the collection
 * @returns how many videos were marked
 */
export const markOtherClocks = async (
  store: Pick<Store, 'changeRecord'>,
  points: AsyncIterable<{ readonly video: string; readonly t: number }>,
  options: CallOptions,
): Promise<number> => {
  const firstSeconds = new Map<string, number>()
  for await (const { video, t } of points) firstSeconds.set(video, Math.min(t, firstSeconds.get(video) ?? t))
  const late = [...firstSeconds].filter(([, seconds]) => seconds > latestFirstSeconds)
  for (const [video] of late) await store.changeRecord(video, (record) => record && countedByClock(record), options)
  return late.length
}

/** No settings are these, so the video is indexed again. */
const countedByClock = (record: VideoRecord): VideoRecord => ({
  ...record,
  status: 'partial',
  reason: 'its times were counted by another clock; index it again',
  settings: '',
  run: undefined,
})
