import { UsageError, VidgrepError } from '../errors.ts'
import type { VideoFile } from '../files/files.ts'
import type { VideoProfile } from './profile.ts'
import type { MigrationStep } from './schema.ts'

export type { VideoFile }

/** Version of what is stored; a collection with a higher one is refused. */
export const schemaVersion = 2

/** [x, y, width, height] as fractions (0–1) of the displayed frame. */
export type Box = readonly [number, number, number, number]

/** How finely frames are looked at: which patches of them are stored. */
export type Detail = 'whole' | 'low' | 'normal' | 'high'

/** What stands beside an embedding. These names are what a person sees in the database. */
export type Payload = {
  /** Fingerprint of the video's content. */
  readonly video: string
  /** Where the video was when it was indexed, or where it was last moved to. */
  readonly path: string
  /** Seconds from the start of the file, as players count them. */
  readonly t: number
  /** Time in seconds of the last sampled frame on which the patch still looked the same; `t` or later. */
  readonly until: number
  /** Number of the patch within its frame, the same at every level of detail; 0 is the frame as the model takes it in. */
  readonly patch: number
  readonly box: Box
}

export type Point = Payload & {
  /** UUID, see {@link pointId}. */
  readonly id: string
  /** Unit vector, [dimension]. */
  readonly vector: Float32Array
}

/** A point found, without its vector. */
export type Hit = Payload & {
  readonly id: string
  /** Cosine similarity to the query, −1 to 1. */
  readonly similarity: number
}

/** When something was seen, and how alike it is: all of a {@link Hit} that a search needs of most points. */
export type Sighting = Pick<Hit, 'id' | 'video' | 't' | 'until' | 'similarity'>

export type VideoStatus = 'complete' | 'partial' | 'failed'

/** What is known of one video of the collection. Written after its points are durable. */
export type VideoRecord = {
  /** Fingerprint of the content: the key. */
  readonly video: string
  readonly files: readonly VideoFile[]
  readonly status: VideoStatus
  /** Why a video is partial or failed. */
  readonly reason?: string
  readonly durationSeconds?: number
  readonly width?: number
  readonly height?: number
  /** When it was recorded, ISO 8601, where its file says so. */
  readonly recordedAt?: string
  /** Sampled frames. */
  readonly frames: number
  readonly points: number
  /** Id of the model. */
  readonly model: string
  /** Sampling and grid settings in one comparable line: other settings mean that the video is indexed again. */
  readonly settings: string
  /** The level that is stored, or that the run is to reach. The article's grid has none, nor has an older record. */
  readonly detail?: Detail
  /**
   * Id of the run that writes the video's points, or was broken off; there is none when it is finished. A run sets it
   * before it looks at what is stored; only while it still stands may that run finish. See {@link Store.deleteVideo}.
   */
  readonly run?: string
  /** Versions of what decoded a video that is partial or failed for good: with others it is tried again. */
  readonly tools?: string
  /** Missing until the run that indexed the video has ended. */
  readonly profile?: VideoProfile
  /** From when to when in seconds its whole frames are of one colour: these are no sign of a copy. */
  readonly flat?: readonly (readonly [number, number])[]
  /** What other videos show as well. Missing until the run that indexed the video has ended. */
  readonly copies?: readonly SharedStretch[]
  /** When it was indexed, ISO 8601. */
  readonly indexedAt: string
}

/**
 * A stretch of a video that another one shows too: at `t` here is what is at `t + offsetSeconds` there. That one may
 * have been removed since.
 */
export type SharedStretch = Stretch & { readonly offsetSeconds: number }

/** What is left of a record while its video is being removed: no settings are these, so the video is indexed again. */
export const beingRemoved = (record: VideoRecord): VideoRecord => ({
  ...record,
  status: 'partial',
  reason: 'it was being removed; index it again',
  settings: '',
  run: undefined,
})

export type RecordChange = (record: VideoRecord | undefined) => VideoRecord | undefined

export type Collection = {
  readonly name: string
  /** Id of the one model whose embeddings the collection holds. */
  readonly model: string
  readonly dimension: number
  readonly schemaVersion: number
}

export type PointFilter = {
  /** Only these videos (fingerprints). An empty list matches nothing. */
  readonly videos?: readonly string[]
  /** None of these videos: where most are searched, stores are done sooner with these few. */
  readonly exceptVideos?: readonly string[]
  /** Only patches of this number; 0: whole frames. */
  readonly patch?: number
  /** Only points that are seen at or after this time in seconds (`until >= afterSeconds`). */
  readonly afterSeconds?: number
  /** Only points that begin at or before this time in seconds (`t <= beforeSeconds`). */
  readonly beforeSeconds?: number
  /** Only what is seen within one of these stretches. An empty list matches nothing. */
  readonly within?: readonly Stretch[]
  /** Not what is seen within one of these stretches. */
  readonly outside?: readonly Stretch[]
}

/** A part of a video (a fingerprint), both ends included. Times in seconds from the start of the file. */
export type Stretch = { readonly video: string; readonly from: number; readonly to: number }

export type SearchOptions = {
  /** Most hits wanted. */
  readonly limit: number
  readonly filter?: PointFilter
  /** Compares with every point that matches, however large the collection: for filters that leave few. */
  readonly exact?: boolean
  readonly signal?: AbortSignal
}

export type CallOptions = { readonly signal?: AbortSignal }

/**
 * One collection of points and video records. Every writing call is durable when its promise resolves. Safe to be used
 * by several processes at once.
 */
export type Store = {
  readonly collection: Collection
  /** For people: the folder or the address. */
  readonly location: string
  /**
   * Writes points; one with a known id is replaced.
   * @throws InvalidPointError before anything is written if one vector is not a unit vector of the right length
   */
  upsert(points: readonly Point[], options?: CallOptions): Promise<void>
  /** Best first; at equal similarity by id. Exact unless the store says otherwise in {@link describe}. */
  search(vector: Float32Array, options: SearchOptions): Promise<readonly Hit[]>
  /** As {@link search}, in a fraction of the time where points are many. Best first; equals are in no order. */
  sightings(vector: Float32Array, options: SearchOptions): Promise<readonly Sighting[]>
  /** Does beforehand what the first call would have to do first, so that a search's words can be encoded meanwhile. */
  warmUp?(): Promise<void>
  /** Ids of the points of a video that are durable. */
  pointIds(video: string, options?: CallOptions): Promise<ReadonlySet<string>>
  /** All points that match, with their vectors, in no order, some at a time. */
  scan(filter: PointFilter, options?: CallOptions): AsyncGenerator<Point, void>
  /** Points by id, for those that exist. */
  points(ids: readonly string[], options?: CallOptions): Promise<ReadonlyMap<string, Point>>
  /** Sets `path` on all points of a video. */
  setPath(video: string, path: string, options?: CallOptions): Promise<void>
  /** Removes a video's points; its record stays. */
  deletePoints(video: string, options?: CallOptions): Promise<void>
  /**
   * Removes a video: marks its record as partial and without a run, removes its points, then the record. So no run that
   * began before this resolved finds its id in the record afterwards, nor after a crash of this process, and does not
   * take for stored what was removed.
   */
  deleteVideo(video: string, options?: CallOptions): Promise<void>
  /** All points of the collection, or of one video. */
  countPoints(video?: string, options?: CallOptions): Promise<number>
  record(video: string, options?: CallOptions): Promise<VideoRecord | undefined>
  /**
   * Writes what `change` makes of a record as it is now (`undefined`: there is none), if it makes something. Reading and
   * writing are one step: nobody, in any process, changes or removes the record in between. Where somebody tries to,
   * `change` is called again, even on what it made itself: made twice it has to leave what it leaves made once. (A run
   * that completes a video therefore leaves its id in the record.)
   * @returns what was written
   */
  changeRecord(video: string, change: RecordChange, options?: CallOptions): Promise<VideoRecord | undefined>
  /** All records, or those of some videos that there are, by `video`. */
  records(options?: CallOptions & { readonly videos?: readonly string[] }): Promise<readonly VideoRecord[]>
  /** Another number after each change of a record, by whichever process; takes a millisecond, where a store has it. */
  recordsVersion?(options?: CallOptions): Promise<number>
  /** Housekeeping after much was written (compaction, index); cheap when there is nothing to do. */
  optimize(options?: CallOptions): Promise<void>
  /** Facts for `vidgrep doctor`, such as the engine's version and whether search is exact. */
  describe(): Promise<Readonly<Record<string, string | number | boolean>>>
  close(): Promise<void>
}

export type OpenStore = {
  /** Name of the collection: letters, digits, `-` and `_`. */
  readonly collection: string
  /**
   * Given: create the collection if it is missing, bring its schema up to date if it is older, and refuse it if it belongs
   * to another model. Not given: an older collection is read as it is.
   */
  readonly create?: { readonly model: string; readonly dimension: number }
  /** Called for every step that brought an older collection up to date. */
  readonly onMigrated?: (step: MigrationStep) => void
  readonly signal?: AbortSignal
}

export class StoreError extends VidgrepError {}

export class CollectionMissingError extends StoreError {
  constructor(name: string, location: string, collections: readonly string[]) {
    const known = collections.length > 0 ? ` (there: ${collections.join(', ')})` : ''
    super('collection-missing', `There is no collection "${name}" in ${location}${known}`, {
      remedy: 'Fill it first: vidgrep index FOLDER',
    })
  }
}

export class ModelMismatchError extends StoreError {
  constructor(found: Collection, wanted: { model: string; dimension: number }) {
    super(
      'model-mismatch',
      `Collection "${found.name}" holds embeddings of ${found.model} (${found.dimension} dimensions), not of ${wanted.model} (${wanted.dimension})`,
      {
        remedy: `Fill it anew with the other model (vidgrep reindex --model NAME --collection ${found.name}), or take another collection (--collection NAME)`,
      },
    )
  }
}

export class SchemaTooNewError extends StoreError {
  constructor(found: Collection) {
    super(
      'schema-too-new',
      `Collection "${found.name}" was written by a newer vidgrep (schema ${found.schemaVersion}, this one knows ${schemaVersion})`,
      { remedy: 'Install the newest vidgrep: npm install -g vidgrep' },
    )
  }
}

export class InvalidPointError extends StoreError {
  constructor(message: string) {
    super('invalid-point', message, { remedy: 'This is a fault of the model or of its manifest: vidgrep doctor' })
  }
}

/** Short enough for a file's name and for a database's, also with a word behind it. */
const longestName = 200

/** @throws UsageError if it is no name for a collection: letters (a–z), digits, `-` and `_`, at most 200 of them */
export const checkCollectionName = (name: string): void => {
  if (/^[A-Za-z0-9_-]+$/.test(name) && name.length <= longestName) return
  throw new UsageError(
    `Expected a collection's name of letters, digits, "-" and "_" (at most ${longestName}), got ${JSON.stringify(name)}`,
    { remedy: 'Name it like this: --collection my-videos_2' },
  )
}

/**
 * Makes sure that this program may use a collection, and that it is one of the model that is wanted, if one is.
 * @throws SchemaTooNewError, ModelMismatchError
 */
export const expectBelonging = (found: Collection, wanted: OpenStore['create']): void => {
  if (found.schemaVersion > schemaVersion) throw new SchemaTooNewError(found)
  if (wanted && (wanted.model !== found.model || wanted.dimension !== found.dimension)) {
    throw new ModelMismatchError(found, wanted)
  }
}
