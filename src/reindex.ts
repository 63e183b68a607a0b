import { access } from 'node:fs/promises'
import type { OpenIndexOptions } from './collection.ts'
import { type Encoder, openEncoder } from './encoder/encoder.ts'
import { findFiles } from './files/find.ts'
import { type IngestEvent, type IngestTotals, noTotals, sumOf } from './ingest/events.ts'
import { ingest } from './ingest/ingest.ts'
import { madeWith, settingsOf } from './ingest/sampling.ts'
import { loadModel } from './models/load.ts'
import type { Model } from './models/model.ts'
import { type Settings, settingsFrom } from './settings.ts'
import { openStore, replaceCollection } from './store/openStore.ts'
import type { Store, VideoRecord, VideoStatus } from './store/store.ts'

export type ReindexOptions = Omit<OpenIndexOptions, 'model' | 'onFetch'> & {
  /** Name or folder of the model that takes over. */
  readonly model: string
  /** Videos decoded at once. Default: one a core, at most 4. */
  readonly jobs?: number
  /** Switch even if videos are worse off afterwards. */
  readonly force?: boolean
  readonly signal?: AbortSignal
}

export type Reindexed = {
  readonly collection: string
  /** Ids of the models. */
  readonly before: string
  readonly model: string
  /** Whether the collection has the new model now. */
  readonly switched: boolean
  /** Files that are not there any more. */
  readonly vanished: readonly string[]
  /** Videos that are gone, failed, or no longer complete in the new collection: why it was not switched. */
  readonly worse: readonly string[]
  readonly totals: IngestTotals | undefined
}

/**
 * Fills a new collection beside an old one with the embeddings of another model, from the videos' own files and with the
 * settings of each, and puts it in the old one's place when it is complete. Broken off at any point, it goes on with the
 * next call, and the old collection is searched until then; it goes only after the switch.
 *
 * @returns after handing out the events
 * @throws CollectionMissingError, UsageError for a model that does not exist, ModelError if it is not on disk
 */
export async function* reindex(options: ReindexOptions): AsyncGenerator<IngestEvent, Reindexed> {
  const settings = settingsFrom(options)
  const model = await loadModel(options.model, { precision: options.precision })
  const { store, collection, apiKey } = settings
  const from = await openStore(store, { collection, apiKey, signal: options.signal })
  try {
    const { model: before } = from.collection
    if (before === model.id) return await alreadyThere(settings, model.id)
    const by = draftName(collection, model.id)
    const filled = yield* fill(from, by, model, settings, options)
    const switched = filled.worse.length === 0 || (options.force ?? false)
    await from.close()
    if (switched) await replaceCollection(store, { name: collection, by, apiKey, signal: options.signal })
    return { collection, before, model: model.id, switched, ...filled }
  } finally {
    await from.close()
  }
}

/** The name of the collection that is filled: it stays its own after the switch. */
export const draftName = (collection: string, modelId: string): string =>
  `${collection}--${modelId.replaceAll(/[^A-Za-z0-9_-]/g, '-')}`.slice(0, 200)

async function* fill(
  from: Store,
  by: string,
  model: Model,
  { store, apiKey, device }: Settings,
  { threads, batchSize, onNotice, jobs, signal }: ReindexOptions,
) {
  const create = { model: model.id, dimension: model.dimension }
  const into = await openStore(store, { collection: by, create, apiKey, signal })
  try {
    const encoder = await openEncoder(model, { device, threads, batchSize, onNotice })
    try {
      return yield* refill({ from, into, encoder, jobs, signal })
    } finally {
      await encoder.close()
    }
  } finally {
    await into.close()
  }
}

/** A switch that was broken off may have left the old collection's points. */
const alreadyThere = async (settings: Settings, model: string): Promise<Reindexed> => {
  const { store, collection, apiKey } = settings
  await replaceCollection(store, { name: collection, by: collection, apiKey })
  return { collection, before: model, model, switched: true, vanished: [], worse: [], totals: undefined }
}

type Refill = {
  /** The collection that is searched until then. */
  readonly from: Store
  /** The one that is filled; an earlier run that was broken off may have left something there. */
  readonly into: Store
  readonly encoder: Encoder
  /** Videos decoded at once. */
  readonly jobs?: number
  readonly signal?: AbortSignal
}

type Refilled = {
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
async function* refill(options: Refill): AsyncGenerator<IngestEvent, Refilled> {
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
      const worse = records.filter((record) => isWorseOff(record, reached)).map(firstPath)
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

/** One run of ingest for all videos with the same settings, with the events of one. */
async function* indexRecords(
  records: readonly VideoRecord[],
  { into, encoder, jobs, signal }: Refill,
): AsyncGenerator<IngestEvent, void> {
  const startedMs = performance.now()
  const files = records.flatMap((record) => {
    const sampling = settingsOf(record)
    return record.files.map((file) => ({ ...file, sampling, line: Object.values(madeWith(sampling)).join(' ') }))
  })
  const here = await Promise.all(files.map(({ path }) => isThere(path)))
  const left = files.filter((_, i) => here[i])
  for (const [i, { path }] of files.entries()) if (!here[i]) yield { type: 'vanished', path }
  yield { type: 'found', videos: left.length, bytes: left.reduce((sum, { bytes }) => sum + bytes, 0) }
  let totals = noTotals
  const samplings = new Map(left.map(({ line, sampling }) => [line, sampling]))
  for (const [line, sampling] of samplings) {
    const paths = left.filter((file) => file.line === line).map(({ path }) => path)
    const found = await findFiles(paths, { signal })
    for await (const event of ingest(found, { store: into, encoder, jobs, signal, ...sampling })) {
      if (event.type === 'done') totals = sumOf(totals, event.totals)
      else if (event.type !== 'found' && event.type !== 'vanished') yield event
    }
  }
  yield { type: 'done', totals: { ...totals, seconds: (performance.now() - startedMs) / 1000 } }
}

/** Drops what an earlier run filled in and was removed from the old collection since. */
const dropOthers = async (into: Store, records: readonly VideoRecord[]): Promise<void> => {
  const wanted = new Set(records.flatMap(({ files }) => files.map(({ path }) => path)))
  for (const { video, files } of await into.records()) {
    if (!files.some(({ path }) => wanted.has(path))) await into.deleteVideo(video)
  }
}

const worth: Readonly<Record<VideoStatus, number>> = { failed: 0, partial: 1, complete: 2 }

const isWorseOff = ({ status, files }: VideoRecord, reached: ReadonlyMap<string, VideoStatus>): boolean =>
  worth[status] > Math.max(0, ...files.map(({ path }) => worth[reached.get(path) ?? 'failed']))

const firstPath = ({ files, video }: VideoRecord): string => files[0]?.path ?? video

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
