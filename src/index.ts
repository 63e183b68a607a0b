import { checkCount, type OpenIndexOptions, openCollection } from './collection.ts'
import type { Encoder } from './encoder/encoder.ts'
import { findFiles } from './files/find.ts'
import type { Shard } from './files/shard.ts'
import type { IngestEvent } from './ingest/events.ts'
import { forget, type PruneOptions, prune } from './ingest/forget.ts'
import { ingest } from './ingest/ingest.ts'
import { expectWholeFrames, type SamplingOptions, samplingSettings } from './ingest/sampling.ts'
import type { Model } from './models/model.ts'
import { type SearchQueryOptions, type SearchResult, searchWords } from './search/query.ts'
import type { Device, DeviceChoice } from './settings.ts'
import type { Store, VideoRecord } from './store/store.ts'
import { ffmpegVersions } from './video/ffmpeg.ts'

export { EncoderError } from './encoder/channel.ts'
export { UsageError, VidgrepError } from './errors.ts'
export { NotAVideoError } from './files/regular.ts'
export type { Shard } from './files/shard.ts'
export type { IngestEvent, IngestTotals, VideoResult } from './ingest/events.ts'
export type { SamplingOptions } from './ingest/sampling.ts'
export type { Model } from './models/model.ts'
export type { GridKind, GridSettings } from './patches/grid.ts'
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
export { frames, frames as video_frames } from './video/frames.ts'
export { probe } from './video/probe.ts'
export { frame, frame as video_frame } from './video/still.ts'
export type { DecodedFrames, Frame, Picture, VideoInfo, View } from './video/video.ts'
export { DamagedVideoError } from './video/video.ts'
export type { Device, DeviceChoice, OpenIndexOptions, SearchQueryOptions, SearchResult }

export type IndexOptions = SamplingOptions & {
  /** Videos decoded at once. Default: one a core, at most 4. */
  readonly jobs?: number
  /** Index again what is complete. */
  readonly force?: boolean
  /**
   * Decode in hardware: ffmpeg's name of a way (`cuda`, `vaapi`, `videotoolbox` …), or `auto`. What cannot be is decoded
   * in software, and an event says so.
   */
  readonly hwaccel?: string
  /** The whole frames of all videos first, so that all can be searched soon; the squares follow in a second pass. */
  readonly coarse?: boolean
  /**
   * Only a part of the files, so that several machines share them: `'2/8'` is the second of eight. Each file belongs to
   * one, by its path below the folder that was named. All machines name the same folders.
   */
  readonly shard?: Shard
  /** What to leave out of the folders: patterns as in a .gitignore, relative to each folder that is named. */
  readonly exclude?: readonly string[]
  readonly signal?: AbortSignal
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
  const collection = await openCollection(options)
  const { model, existing, close } = collection
  const { device } = collection.settings
  return {
    model,
    get store() {
      return collection.store
    },
    ingest: async function* (paths, { jobs, force, hwaccel, coarse, shard, exclude, signal, ...sampling } = {}) {
      checkCount('jobs', jobs)
      // They answer while the rest loads; what is wrong with them is told where they are needed.
      ffmpegVersions().catch(() => {})
      const settings = samplingSettings(sampling)
      if (coarse) expectWholeFrames(settings)
      const found = await findFiles(paths, { shard, exclude, signal })
      const encoder = await collection.encoder()
      // A device that was asked for and cannot be had must not leave an empty collection behind.
      if (!collection.store && device !== 'auto' && device !== 'cpu') await tryPicture(encoder, signal)
      // In a new collection every video is new: the model loads while the store is made.
      if (!collection.store && found.paths.length > 0) encoder.load()
      await collection.openForWriting(signal)
      yield* ingest(found, { store: existing(), encoder, ...settings, jobs, force, hwaccel, coarse, signal })
    },
    search: (query, options) => searchWords(collection, query, options),
    videos: async () => existing().records(),
    remove: async (paths) => forget(existing(), paths),
    prune: async (options = {}) => prune(existing(), options),
    close,
  }
}

const tryPicture = async (encoder: Encoder, signal: AbortSignal | undefined): Promise<void> => {
  await encoder.encodePictures(new Uint8Array(encoder.model.image.size ** 2 * 3), { signal })
}
