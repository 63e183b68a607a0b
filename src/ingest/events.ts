import type { Device } from '../encoder/device.ts'
import type { VideoStatus } from '../store/store.ts'

/** What became of one file. */
export type VideoResult = {
  /** Absolute. */
  readonly path: string
  /** Fingerprint of the content; `null` if the file could not be read. */
  readonly video: string | null
  readonly status: VideoStatus
  /** Sampled frames. */
  readonly frames: number
  /** Points in the store. */
  readonly points: number
  /** Patches that went through the encoder in this run: 0 if everything was there already. */
  readonly encoded: number
  /** Patches that looked as they did when they were last encoded: their points reach on to them. */
  readonly unchanged: number
  /** Wall-clock seconds that this run spent on it. */
  readonly seconds: number
  /** Why it is partial or failed. */
  readonly reason?: string
}

export type IngestTotals = {
  readonly videos: number
  readonly complete: number
  readonly partial: number
  readonly failed: number
  /** Files in the folders that are no videos. */
  readonly skipped: number
  /** Videos that belong to other shards; nothing was done with them. */
  readonly otherShards: number
  readonly frames: number
  readonly points: number
  readonly encoded: number
  readonly unchanged: number
  /** Wall-clock seconds of the whole run. */
  readonly seconds: number
  /**
   * Part of the time (0–1) in which the encoder had something to encode, from its first batch, when the model is loaded,
   * to its last; `null` if there were fewer than two.
   */
  readonly encoderBusy: number | null
  /** What the patches were computed on, as found out; `null` if there were none. */
  readonly device: Device | null
}

export type IngestEvent =
  /** All files are listed; the work begins. */
  | { readonly type: 'found'; readonly videos: number; readonly bytes: number }
  /** A file or folder that is passed over. */
  | { readonly type: 'skipped'; readonly path: string; readonly reason: string }
  /** A video is about to be decoded and encoded. */
  | { readonly type: 'started'; readonly path: string; readonly bytes: number }
  /** A batch was encoded. */
  | {
      readonly type: 'progress'
      readonly path: string
      /** Presentation time in seconds that the video has reached. */
      readonly atSeconds: number
      readonly durationSeconds?: number
      /** Frames of this video so far. */
      readonly frames: number
      /** Patches in this batch. */
      readonly encoded: number
    }
  /** A coarse run has the whole frames of a file; its squares follow. */
  | { readonly type: 'coarse'; readonly path: string; readonly bytes: number }
  /** A coarse run has all whole frames: from now on a search finds every video. The squares follow. */
  | { readonly type: 'searchable' }
  /** Hardware was to decode it, and did not; it is decoded all the same. */
  | { readonly type: 'software'; readonly path: string; readonly reason: string }
  /** A file is done; what is said of it is durable. */
  | { readonly type: 'video'; readonly result: VideoResult; readonly bytes: number }
  /** A file that the collection knows is not there any more; `prune` forgets it. */
  | { readonly type: 'vanished'; readonly path: string }
  /** All is done. */
  | { readonly type: 'done'; readonly totals: IngestTotals }
