import { access } from 'node:fs/promises'
import type { Encoder } from '../encoder/encoder.ts'
import { findFiles } from '../files/find.ts'
import type { Store, VideoRecord, VideoStatus } from '../store/store.ts'
import type { IngestEvent, IngestTotals } from './events.ts'
import { ingest } from './ingest.ts'
import { settingsOfLine } from './sampling.ts'
import { noTotals, sumOf } from './totals.ts'

export type RefillOptions = {
  /** What is in force. */
  readonly from: Store
  /** What is filled; with what an earlier, broken-off run left there. */
  readonly into: Store
  readonly encoder: Encoder
  /** Videos decoded at once. */
  readonly jobs?: number
  readonly signal?: AbortSignal
}

export type Refilled = {
  readonly totals: IngestTotals
  /** Files that are not there any more. */
  readonly vanished: readonly string[]
  /** Places of the videos that are worse off in the new collection: gone, failed, or no longer complete. */
  readonly worse: readonly string[]
}

/**
 * Indexes the videos of one collection into another from their files, each with its own settings. What is complete there
 * costs nothing. Videos that others add to the old one meanwhile are taken along.
 *
 * @returns after handing out the events; `found` comes again for what was added meanwhile, `done` never
 */
export async function* refill(options: RefillOptions): AsyncGenerator<IngestEvent, Refilled> {
  const { from, into, signal } = options
  const reached = new Map<string, VideoStatus>()
  const vanished = new Set<string>()
  const tried = new Set<string>()
  let totals: IngestTotals | undefined
  for (;;) {
    const records = await from.records({ signal })
    const fresh = records.filter(({ video }) => !tried.has(video))
    if (fresh.length === 0 && totals) {
      await dropOthers(into, records)
      const worse = records.filter((record) => isWorseOff(record, reached)).map(placeOf)
      return { totals, vanished: [...vanished], worse }
    }
    for (const { video } of fresh) tried.add(video)
    for await (const event of indexRecords(fresh, options)) {
      if (event.type === 'done') totals = totals ? sumOf(totals, event.totals) : event.totals
      else yield event
      if (event.type === 'vanished') vanished.add(event.path)
      if (event.type === 'video') reached.set(event.result.path, event.result.status)
    }
  }
}

/** One run of ingest for each kind of settings, told as one. */
async function* indexRecords(
  records: readonly VideoRecord[],
  { into, encoder, jobs, signal }: RefillOptions,
): AsyncGenerator<IngestEvent, void> {
  const startedMs = performance.now()
  const files = records.flatMap((record) => record.files.map((file) => ({ ...file, settings: record.settings })))
  const here = await Promise.all(files.map(({ path }) => isThere(path)))
  const left = files.filter((_, i) => here[i])
  for (const [i, { path }] of files.entries()) if (!here[i]) yield { type: 'vanished', path }
  yield { type: 'found', videos: left.length, bytes: left.reduce((sum, { bytes }) => sum + bytes, 0) }
  let totals = noTotals
  for (const line of new Set(left.map(({ settings }) => settings))) {
    const paths = left.filter(({ settings }) => settings === line).map(({ path }) => path)
    for await (const event of ingest(await findFiles(paths, { signal }), {
      store: into,
      encoder,
      jobs,
      signal,
      ...settingsOfLine(line),
    })) {
      if (event.type === 'done') totals = sumOf(totals, event.totals)
      else if (event.type !== 'found' && event.type !== 'vanished') yield event
    }
  }
  yield { type: 'done', totals: { ...totals, seconds: (performance.now() - startedMs) / 1000 } }
}

/** What an earlier run brought along and was removed from the old collection since. */
const dropOthers = async (into: Store, records: readonly VideoRecord[]): Promise<void> => {
  const wanted = new Set(records.flatMap(({ files }) => files.map(({ path }) => path)))
  for (const { video, files } of await into.records()) {
    if (!files.some(({ path }) => wanted.has(path))) await into.deleteVideo(video)
  }
}

const worth: Readonly<Record<VideoStatus, number>> = { failed: 0, partial: 1, complete: 2 }

const isWorseOff = ({ status, files }: VideoRecord, reached: ReadonlyMap<string, VideoStatus>): boolean =>
  worth[status] > Math.max(0, ...files.map(({ path }) => worth[reached.get(path) ?? 'failed']))

const placeOf = ({ files, video }: VideoRecord): string => files[0]?.path ?? video

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
