import type { Device, DeviceChoice } from './encoder/device.ts'
import type { Encoder } from './encoder/encoder.ts'
import { openEncoder } from './encoder/open.ts'
import { openTunedEncoder } from './encoder/tuned.ts'
import { UsageError } from './errors.ts'
import { type GridSettings, gridSettings } from './frames/grid.ts'
import type { IngestEvent } from './ingest/events.ts'
import { findFiles } from './ingest/find.ts'
import { forget, type PruneOptions, prune } from './ingest/forget.ts'
import { ingest } from './ingest/ingest.ts'
import { defaultEverySeconds } from './ingest/job.ts'
import type { Shard } from './ingest/shard.ts'
import { modelName } from './models/list.ts'
import { loadModel } from './models/load.ts'
import type { Model } from './models/model.ts'
import { defaultModelName } from './models/registry.ts'
import { filterPaths } from './search/paths.ts'
import { type MomentSearchResult, searchMoments } from './search/search.ts'
import { settingsFrom } from './settings.ts'
import { expectBelonging } from './store/belonging.ts'
import { openStore } from './store/open.ts'
import { CollectionMissingError, type OpenStore, type Store, type VideoRecord } from './store/store.ts'

export { EncoderError } from './encoder/encoder.ts'
export { UsageError, VidgrepError } from './errors.ts'
export type { GridKind, GridSettings } from './frames/grid.ts'
export type { IngestEvent, IngestTotals, VideoResult } from './ingest/events.ts'
export type { Shard } from './ingest/shard.ts'
export type { Model } from './models/model.ts'
export { type Reindexed, type ReindexOptions, reindex } from './reindex.ts'
export type { Moment, MomentSearchResult } from './search/search.ts'
export type { Box, Hit, PointFilter, Store, VideoFile, VideoRecord, VideoStatus } from './store/store.ts'
export {
  CollectionMissingError,
  InvalidPointError,
  ModelMismatchError,
  SchemaTooNewError,
  StoreError,
} from './store/store.ts'
export { frame, frame as video_frame } from './video/frame.ts'
export { frames, frames as video_frames } from './video/frames.ts'
export { probe } from './video/probe.ts'
export type { Frame, Picture, VideoInfo, View } from './video/video.ts'
export { DamagedVideoError, NotAVideoError } from './video/video.ts'
export type { Device, DeviceChoice }

export type OpenIndexOptions = {
  /** Folder of an embedded store or address of a Qdrant server. Default: `VIDGREP_STORE`, `QDRANT_URL`, the data folder. */
  readonly store?: string
  /** Default: `VIDGREP_COLLECTION`, else `vidgrep`. */
  readonly collection?: string
  /** Name or folder of a model, or `hf:ORG/NAME[@REVISION]`. Default: `VIDGREP_MODEL`, else the collection's own, else the starter model. */
  readonly model?: string
  /** Told the name of a model of the hub that is not here yet: fetching it may take minutes. */
  readonly onFetch?: (name: string) => void
  /** Key of the Qdrant server. Default: `QDRANT_API_KEY`. */
  readonly apiKey?: string
  /** What the model computes on; named, no other is ever taken. Default: `VIDGREP_DEVICE`, else the best that works. */
  readonly device?: DeviceChoice
  /** Threads of the encoder. Default: the runtime's own choice; for indexing, what was measured to be fastest. */
  readonly threads?: number
  /** Patches a batch. Default: for indexing, what was measured to be fastest; else 8. */
  readonly batchSize?: number
}

export type IndexOptions = Partial<GridSettings> & {
  /** Seconds between sampled frames, 0 for all of them. @default 1 */
  readonly everySeconds?: number
  /** Videos decoded at once. Default: one a core, at most 4. */
  readonly jobs?: number
  /** Index again what is complete. */
  readonly force?: boolean
  /**
   * Only a part of the files, so that several machines share them: `'2/8'` is the second of eight. Each file belongs to
   * one, by its path below the folder that was named. All machines name the same folders.
   */
  readonly shard?: Shard
  readonly signal?: AbortSignal
}

export type SearchQueryOptions = {
  /** Moments wanted. @default 6 */
  readonly n?: number
  /** Least score (100 · cosine). Default: the model's own. */
  readonly threshold?: number
  /** Seconds that two moments of one video are apart at least. @default 0.1 */
  readonly gapSeconds?: number
  /** Only videos whose path matches one of these globs. */
  readonly paths?: readonly string[]
  /** Only what is seen at or after this time within the video, in seconds. */
  readonly afterSeconds?: number
  /** Only what begins at or before this time within the video, in seconds. */
  readonly beforeSeconds?: number
  readonly onTruncated?: (query: string) => void
  readonly signal?: AbortSignal
}

export type SearchResult = MomentSearchResult & {
  readonly query: string
  /** Id of the model. */
  readonly model: string
  readonly collection: string
  /** The threshold in force, `undefined` if the model has none. */
  readonly threshold: number | undefined
}

/** A collection of videos and what searches it. */
export type Index = {
  readonly model: Model
  /** `undefined` until the first {@link Index.ingest} makes the collection. */
  readonly store: Store | undefined
  /** Indexes files and folders; see {@link IngestEvent}. Nothing is done twice. */
  ingest(paths: readonly string[], options?: IndexOptions): AsyncGenerator<IngestEvent, void>
  /** Finds the moments that show what the query says. @throws CollectionMissingError if nothing was ever indexed */
  search(query: string, options?: SearchQueryOptions): Promise<SearchResult>
  videos(): Promise<readonly VideoRecord[]>
  /** Takes the videos at these paths (globs too) out of the collection. The files stay. */
  remove(paths: readonly string[]): Promise<readonly VideoRecord[]>
  /** Forgets files that are gone, and the videos that have no other place. */
  prune(options?: PruneOptions): Promise<readonly string[]>
  close(): Promise<void>
}

/**
 * Opens a collection for indexing and searching.
 *
 * @example
 * const index = await openIndex({ store: './footage' })
 * for await (const event of index.ingest(['clips/'])) if (event.type === 'video') console.log(event.result.path)
 * const { moments } = await index.search('a red car', { n: 6 })
 * await index.close()
 *
 * @throws UsageError for a model that does not exist
 * @throws ModelMismatchError if the collection belongs to another model than the one asked for
 */
export const openIndex = async (options: OpenIndexOptions = {}): Promise<Index> => {
  checkCount('threads', options.threads)
  checkCount('batch', options.batchSize)
  const settings = settingsFrom(options)
  const access = { collection: settings.collection, apiKey: settings.apiKey }
  const { device } = settings
  const opened: Store[] = []
  let store: Store | undefined
  let missing: CollectionMissingError | undefined
  let isForWriting = false
  let encoder: Promise<Encoder> | undefined
  const open = async (how: Partial<OpenStore>): Promise<void> => {
    store = await openStore(settings.store, { ...access, ...how })
    opened.push(store)
  }
  const close = async (): Promise<void> => {
    try {
      await (await encoder)?.close()
    } finally {
      for (const each of opened) await each.close()
    }
  }
  try {
    await open({})
  } catch (error) {
    if (!(error instanceof CollectionMissingError)) throw error
    missing = error
  }
  const model = await modelFor(settings.model, store, options.onFetch).catch(async (error) => {
    await close()
    throw error
  })
  const create = { model: model.id, dimension: model.dimension }

  const encoderOf = (start: typeof openEncoder = openEncoder): Promise<Encoder> =>
    (encoder ??= start(model, { device, threads: options.threads, batchSize: options.batchSize }))
  const existing = (): Store => {
    if (!store) throw missing
    return store
  }

  return {
    model,
    get store() {
      return store
    },
    ingest: async function* (paths, { everySeconds = defaultEverySeconds, jobs, force, shard, signal, ...grid } = {}) {
      checkEvery(everySeconds)
      checkCount('jobs', jobs)
      const checked = gridSettings(grid)
      const found = await findFiles(paths, { shard, signal })
      const encoder = await encoderOf(openTunedEncoder)
      // A device that was asked for and cannot be had must not leave an empty collection behind.
      if (!store && device !== 'auto' && device !== 'cpu') await tryPicture(encoder, signal)
      // Opened so, it is made if it is missing, and its schema brought up to date. Searches under way keep theirs.
      if (!isForWriting) await open({ create, signal })
      isForWriting = true
      yield* ingest(found, { store: existing(), encoder, everySeconds, grid: checked, jobs, force, signal })
    },
    search: async (query, { n, gapSeconds, signal, onTruncated, ...rest } = {}) => {
      const threshold = rest.threshold ?? model.threshold
      const collection = existing()
      const [vector] = await (await encoderOf()).encodeTexts([query], { signal, onTruncated })
      const paths = rest.paths && filterPaths(await collection.records({ signal }), rest.paths)
      const { afterSeconds, beforeSeconds } = rest
      const found = await searchMoments({
        store: collection,
        vector: vector!,
        n,
        thresholdScore: threshold,
        gapSeconds,
        filter: { paths, afterSeconds, beforeSeconds },
        signal,
      })
      return { query, model: model.id, collection: collection.collection.name, threshold, ...found }
    },
    videos: async () => existing().records(),
    remove: async (paths) => forget(existing(), paths),
    prune: async (options = {}) => prune(existing(), options),
    close,
  }
}

/** The model asked for by name, which must be the collection's if there is one, or the collection's, or the default. */
const modelFor = async (
  name: string | undefined,
  store: Store | undefined,
  onFetch: OpenIndexOptions['onFetch'],
): Promise<Model> => {
  const model = await loadModel(name ?? (store ? await modelOf(store) : defaultModelName), {}, { onFetch })
  if (store) expectBelonging(store.collection, { model: model.id, dimension: model.dimension })
  return model
}

/** The name of the model that a collection was made with. */
const modelOf = async ({ collection }: Store): Promise<string> => {
  const name = await modelName(collection.model)
  if (name !== undefined) return name
  throw new UsageError(`Collection "${collection.name}" was made with ${collection.model}, which has no name here`, {
    remedy: 'Name its folder: --model ./folder',
  })
}

const checkEvery = (everySeconds: number): void => {
  if (!(everySeconds >= 0 && Number.isFinite(everySeconds))) {
    throw new UsageError(`Expected the seconds between frames to be 0 or more, got ${everySeconds}`, {
      remedy: 'Use --every 1',
    })
  }
}

/** More is a slip of the finger, and would take all memory. */
const most = { jobs: 64, threads: 256, batch: 1024 }

const checkCount = (name: keyof typeof most, value: number | undefined): void => {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= most[name])) return
  throw new UsageError(`Expected ${name} to be a whole number from 1 to ${most[name]}, got ${value}`, {
    remedy: 'Leave it out: the default fits the machine',
  })
}

const tryPicture = async (encoder: Encoder, signal: AbortSignal | undefined): Promise<void> => {
  await encoder.encodePictures(new Uint8Array(encoder.model.image.size ** 2 * 3), { signal })
}
