// What is loaded here is little; each function loads what it needs when it is first called, so that a program that only
// asks for help, or only searches, starts at once.
import { checkCount, type OpenIndexOptions, openCollection } from './collection.ts'
import type { Encoder } from './encoder/encoder.ts'
import type { FindFilesOptions } from './files/find.ts'
import type { IngestEvent } from './ingest/events.ts'
import type { PruneOptions, RemovedPlaces } from './ingest/forget.ts'
import type { IngestOptions } from './ingest/ingest.ts'
import type { SamplingOptions } from './ingest/sampling.ts'
import type { WatchEvent, WatchOptions } from './ingest/watch.ts'
import type { Model } from './models/model.ts'
import type { Reindexed, ReindexOptions } from './reindex.ts'
import type { CopyGroup } from './search/copies.ts'
import type { Curve, CurveOptions } from './search/curve.ts'
import type { Explanation } from './search/explain.ts'
import type { MapOptions, VideoMap } from './search/map.ts'
import type { SearchOptions, SimilarOptions } from './search/options.ts'
import type { Query, VideoPlace } from './search/query.ts'
import type { Scenes } from './search/scenes.ts'
import type { SearchResult } from './search/search.ts'
import type { FoundVideo } from './search/timeline.ts'
import { type LesserPrecision, type SettingsOptions, settingsFrom } from './settings.ts'
import { openStore } from './store/openStore.ts'
import type { MigrationStep } from './store/schema.ts'
import type { CallOptions, Store, VideoRecord } from './store/store.ts'
import type { Frame, FramesOptions } from './video/video.ts'

export type { CheckModelOptions, ModelCheck, PrecisionCheck } from './checkModel.ts'
export type { OpenIndexOptions } from './collection.ts'
export type { Check } from './doctor.ts'
export { EncoderError } from './encoder/channel.ts'
export { UsageError, VidgrepError } from './errors.ts'
export { NotAVideoError } from './files/regular.ts'
export type { Shard } from './files/shard.ts'
export type { IngestEvent, IngestTotals, VideoResult } from './ingest/events.ts'
export type { PruneOptions, RemovedPlaces } from './ingest/forget.ts'
export { defaultEverySeconds, defaultTolerance, type SamplingOptions } from './ingest/sampling.ts'
export type { WatchEvent } from './ingest/watch.ts'
export { defaultModelName, type HashSource } from './models/disk.ts'
export type { Leftover, ListedModel } from './models/list.ts'
export type { CheckedFile } from './models/manage.ts'
export type { ManifestEntry } from './models/manifest.ts'
export type { Model } from './models/model.ts'
export type { PlanOptions, Pulled, PulledFile, PullOptions, PullPlan, PullProgress } from './models/pull/plan.ts'
export { defaultDetail, details } from './patches/grid.ts'
export type { Reindexed, ReindexOptions } from './reindex.ts'
export type { ClipOptions, WrittenClip } from './render/clipFiles.ts'
export type { CopyGroup, SharedPair } from './search/copies.ts'
export type { Curve, CurveOptions, CurvePoint } from './search/curve.ts'
export type { Explanation, Verdict } from './search/explain.ts'
export type { Moment, MomentPart } from './search/find.ts'
export type { MapOptions, MapPoint, VideoMap } from './search/map.ts'
export {
  mapDefaults,
  type SearchOptions,
  type SimilarOptions,
  searchDefaults,
  searchFilters,
} from './search/options.ts'
export {
  type Example,
  type Picture as ExamplePicture,
  type Query,
  QueryError,
  type VideoPlace,
} from './search/query.ts'
export type { Scene, Scenes } from './search/scenes.ts'
export type { SearchResult } from './search/search.ts'
export { type Aspect, aspects, type VideoFilter } from './search/videos.ts'
export {
  type Device,
  type DeviceChoice,
  deviceChoices,
  folders,
  lesserPrecisions,
  type Precision,
  precisions,
  type SettingsOptions,
  settingsFrom,
} from './settings.ts'
export type { Box, Detail, Hit, PointFilter, Store, VideoFile, VideoRecord, VideoStatus } from './store/store.ts'
export {
  CollectionMissingError,
  InvalidPointError,
  ModelMismatchError,
  SchemaTooNewError,
  StoreError,
} from './store/store.ts'
export type { ClipMode } from './video/clip.ts'
export type { PreviewOptions } from './video/preview.ts'
export { formatSpan, formatTimestamp, parseTimestamp } from './video/timestamp.ts'
export type { DecodedFrames, Frame, FramesOptions, Picture, VideoInfo, View } from './video/video.ts'
export { DamagedVideoError } from './video/video.ts'

export type IndexOptions = SamplingOptions &
  FindFilesOptions &
  Pick<IngestOptions, 'jobs' | 'force' | 'hwaccel' | 'coarse' | 'stills' | 'signal'>

export type WatchIndexOptions = IndexOptions & WatchOptions

/** The videos of a collection, as it lists them. */
export type Videos = {
  videos(): Promise<readonly VideoRecord[]>
  /** The one that is meant by a path, the end of it, or a fingerprint. @throws UsageError if there is none, or several */
  video(name: string, options?: CallOptions): Promise<FoundVideo>
  /** Takes these paths (globs too) out of the collection; a video goes with its last one. The files stay. */
  remove(paths: readonly string[]): Promise<readonly RemovedPlaces[]>
  /** Forgets files that are gone, and the videos that lie nowhere else. */
  prune(options?: PruneOptions): Promise<readonly string[]>
  /** Videos that show the same, wholly or in part. */
  copies(options?: CallOptions): Promise<readonly CopyGroup[]>
  /** Where what a video shows changes; see {@link Scene}. `video`: its path, the end of it, or its fingerprint. */
  scenes(video: string, options?: CallOptions): Promise<Scenes>
  /** Frames of the videos in two dimensions: what looks alike lies close together. */
  map(options?: MapOptions): Promise<VideoMap>
  close(): Promise<void>
}

/** A collection of videos and what searches it. */
export type Index = Videos & {
  readonly model: Model
  /** `undefined` until the first {@link Index.ingest} makes the collection. */
  readonly store: Store | undefined
  /** Indexes files and folders; see {@link IngestEvent}. Nothing is done twice. */
  ingest(paths: readonly string[], options?: IndexOptions): AsyncGenerator<IngestEvent, void>
  /** Keeps the collection up to date with files and folders until its signal is aborted; see {@link WatchEvent}. */
  watch(paths: readonly string[], options: WatchIndexOptions): AsyncGenerator<WatchEvent, void>
  /** How well a place (video as in {@link Index.curve}, `t` in seconds) fits a query, and what keeps it out of a search. */
  explain(
    query: Query,
    place: { readonly video: string; readonly t: number },
    options?: SearchOptions,
  ): Promise<Explanation>
  /** How well every sampled frame of a video fits a query. `video`: its path, the end of it, or its fingerprint. */
  curve(query: Query, video: string, options?: CurveOptions): Promise<Curve>
  /**
   * Finds the moments that show what the query says: words, phrases put together (docs/search.md), or an example.
   *
   * @throws UsageError for a query that breaks the rules
   * @throws CollectionMissingError if nothing was ever indexed
   */
  search(query: Query, options?: SearchOptions): Promise<SearchResult>
  /** Finds the moments that look like what a video shows at a time, without that moment itself. @throws as search */
  similar(source: VideoPlace, options?: SimilarOptions): Promise<SearchResult>
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
  const collection = await openCollection(options)
  const { model, existing, close } = collection
  const { device } = collection.settings
  const ingestPaths: Index['ingest'] = async function* (
    paths,
    { jobs, force, hwaccel, coarse, stills, shard, exclude, accept, signal, ...sampling } = {},
  ) {
    checkCount('jobs', jobs)
    const [{ ffmpegVersions }, { findFiles }, { levelsUpTo, samplingSettings }, { ingest }] = await Promise.all([
      import('./video/ffmpeg.ts'),
      import('./files/find.ts'),
      import('./ingest/sampling.ts'),
      import('./ingest/ingest.ts'),
    ])
    // They answer while the rest loads; what is wrong with them is said where they are needed.
    ffmpegVersions().catch(() => {})
    const settings = samplingSettings(sampling)
    if (coarse) levelsUpTo(settings.grid)
    const found = await findFiles(paths, { shard, exclude, accept, signal })
    const encoder = await collection.encoder()
    // A device that was asked for and cannot be had must not leave an empty collection behind.
    if (!collection.store && device !== 'auto' && device !== 'cpu') await tryPicture(encoder, signal)
    // In a new collection every video is new: the model loads while the store is made.
    if (!collection.store && found.paths.length > 0) encoder.load()
    const migrations = await collection.openForWriting(signal)
    for (const { name, description } of migrations) yield { type: 'migrated', name, description }
    yield* ingest(found, { store: existing(), encoder, ...settings, jobs, force, hwaccel, coarse, stills, signal })
  }
  return {
    ...videosOf(existing, close),
    model,
    get store() {
      return collection.store
    },
    ingest: ingestPaths,
    watch: async function* (paths, { settleSeconds, pollSeconds, ...options }) {
      const { watch } = await import('./ingest/watch.ts')
      const watched = {
        index: (accept: (path: string) => boolean) => ingestPaths(paths, { ...options, accept }),
        records: async () => (await collection.store?.records()) ?? [],
        forget: async (gone: readonly string[]) => {
          const { forgetFiles } = await import('./ingest/forget.ts')
          await forgetFiles(existing(), gone)
        },
      }
      const { exclude, shard, signal } = options
      yield* watch(paths, watched, { settleSeconds, pollSeconds, exclude, shard, signal })
    },
    search: async (query, options) => {
      const { search } = await import('./search/search.ts')
      return search(collection, query, options)
    },
    explain: async (query, place, options) => {
      const { explain } = await import('./search/explain.ts')
      return explain(collection, query, place, options)
    },
    curve: async (query, video, options) => {
      const { curve } = await import('./search/curve.ts')
      return curve(collection, query, video, options)
    },
    similar: async (source, options) => {
      const { similar } = await import('./search/search.ts')
      return similar(collection, source, options)
    },
  }
}

const tryPicture = async (encoder: Encoder, signal: AbortSignal | undefined): Promise<void> => {
  await encoder.encodePictures(new Uint8Array(encoder.model.image.size ** 2 * 3), { signal })
}

/**
 * Opens a collection to look through its videos, without its model: that need not be on this machine.
 *
 * @throws CollectionMissingError if nothing was ever indexed
 */
export const openVideos = async (options: SettingsOptions = {}): Promise<Videos> => {
  const { store: location, collection, apiKey } = settingsFrom(options)
  const store = await openStore(location, { collection, apiKey })
  return videosOf(
    () => store,
    () => store.close(),
  )
}

/** Names of the collections in a store, sorted. @throws StoreError if it cannot be reached */
export const collectionNames = async (options: SettingsOptions = {}): Promise<readonly string[]> => {
  const { store, apiKey } = settingsFrom(options)
  return (await import('./store/openStore.ts')).collectionNames(store, { apiKey })
}

const videosOf = (existing: () => Store, close: () => Promise<void>): Videos => ({
  videos: async () => existing().records(),
  video: async (name, options = {}) => (await import('./search/timeline.ts')).videoNamed(existing(), name, options),
  remove: async (paths) => (await import('./ingest/forget.ts')).forget(existing(), paths),
  prune: async (options = {}) => (await import('./ingest/forget.ts')).prune(existing(), options),
  copies: async (options) => (await import('./search/copies.ts')).copyGroups(await existing().records(options)),
  scenes: async (video, options) => (await import('./search/scenes.ts')).scenes(existing(), video, options),
  map: async (options) => (await import('./search/map.ts')).mapOf(existing(), options),
  close,
})

/** Moves a collection to another model, from the files of its videos; see {@link Reindexed}. */
export async function* reindex(options: ReindexOptions): AsyncGenerator<IngestEvent, Reindexed> {
  return yield* (await import('./reindex.ts')).reindex(options)
}

/** Hands out the frames of a video as they are decoded. @throws NotAVideoError, DamagedVideoError after the last good one */
export async function* frames(path: string, options: FramesOptions): AsyncGenerator<Frame, void> {
  yield* (await import('./video/frames.ts')).frames(path, options)
}

/** A function that is loaded when it is first called. */
const lazy =
  <Given extends unknown[], Result>(load: () => Promise<(...given: Given) => Result | Promise<Result>>) =>
  async (...given: Given): Promise<Result> =>
    (await load())(...given)

/** Begins to load what encodes, for a process that is about to open an index and to search. */
export const startEncoderEarly = lazy(async () => (await import('./encoder/channel.ts')).startEarly)

/** What a file says of its video. */
export const probe = lazy(async () => (await import('./video/probe.ts')).probe)

/** The picture that a video shows at a time in seconds. */
export const frame = lazy(async () => (await import('./video/still.ts')).frame)

/** A small picture of a sampled frame as JPEG, where indexing kept it. */
export const keptStill = lazy(async () => (await import('./ingest/stills.ts')).keptStill)

/** Writes that picture into a file; its ending says in which format. */
export const writeFrame = lazy(async () => (await import('./render/output.ts')).writeFrame)

/** Writes a stretch of a video into a file: copied where that is exact, else encoded. */
export const writeClip = lazy(async () => (await import('./render/clipFiles.ts')).writeClip)

/** Writes each moment that a search found into a clip of its own. */
export const writeClips = lazy(async () => (await import('./render/clipFiles.ts')).writeClips)

/** A stretch of a video as every browser plays it, made while it is read: fragmented MP4. */
export const preview = lazy(async () => (await import('./video/preview.ts')).preview)

/** Writes what a search found as pictures, or as one contact sheet. */
export const writePictures = lazy(async () => (await import('./render/output.ts')).writePictures)

/** Writes what a search found as clips for an editing program: .edl, .otio, .fcpxml or .csv. */
export const exportMoments = lazy(async () => (await import('./render/output.ts')).exportMoments)

/** Draws a map as a picture, with the frames where they lie. */
export const writeMap = lazy(async () => (await import('./render/output.ts')).writeMap)

/** Writes a curve as a picture: .svg or .png. */
export const writeCurve = lazy(async () => (await import('./render/output.ts')).writeCurve)

/** Makes sure that these places can be written to, before any work is done for them. */
export const checkOutputs = lazy(async () => (await import('./render/output.ts')).checkOutputs)

export type MigrateOptions = SettingsOptions & { readonly dryRun?: boolean; readonly signal?: AbortSignal }

export type Migrated = { readonly collection: string; readonly steps: readonly MigrationStep[] }

/**
 * Brings what is stored of a collection up to date, as the next index would.
 *
 * @returns the collection and the steps that were applied, or with `dryRun` those that would be
 * @throws CollectionMissingError if there is no such collection
 */
export const migrate = async ({ dryRun, signal, ...options }: MigrateOptions = {}): Promise<Migrated> => {
  const { store, collection, apiKey } = settingsFrom(options)
  const { migrateCollection } = await import('./store/openStore.ts')
  return { collection, steps: await migrateCollection(store, { collection, dryRun, signal, apiKey }) }
}

/** Checks the machine, the settings, ffmpeg, the model and the store. */
export const examine = lazy(async () => (await import('./doctor.ts')).examine)

/** The models on this machine. */
export const models = {
  list: lazy(async () => (await import('./models/list.ts')).listModels),
  leftovers: lazy(async () => (await import('./models/list.ts')).listLeftovers),
  find: lazy(async () => (await import('./models/load.ts')).findModel),
  /** Those of the manifest that can be pulled. */
  pullable: async () => (await (await import('./models/disk.ts')).knownModels()).filter(({ source }) => source),
  plan: lazy(async () => (await import('./models/pull/plan.ts')).planPull),
  pull: lazy(async () => (await import('./models/pull/pull.ts')).pullModel),
  verify: lazy(async () => (await import('./models/manage.ts')).verifyModel),
  remove: lazy(async () => (await import('./models/manage.ts')).removeModel),
  path: lazy(async () => (await import('./models/manage.ts')).modelPath),
  add: lazy(async () => (await import('./models/add.ts')).addModel),
  /** Adds a graph of the image tower in a lesser precision, an ONNX file, to a pulled or added model. */
  addPrecision: async (file: string, name: string, precision: LesserPrecision) => {
    const [{ addPrecision }, { tryModel }] = await Promise.all([
      import('./models/add.ts'),
      import('./encoder/trial.ts'),
    ])
    await addPrecision(file, name, precision, (model) => tryModel(model, { device: 'cpu', preparedFolder: null }))
  },
  check: lazy(async () => (await import('./checkModel.ts')).checkModel),
  prepare: lazy(async () => (await import('./encoder/trial.ts')).prepareModel),
}

// The article's names.
export { frame as video_frame, frames as video_frames }
