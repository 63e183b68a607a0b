import type { FoundFiles } from '../files/find.ts'
import type { SkipKind, SkippedFile } from '../files/walk.ts'
import type { Device } from '../settings.ts'
import type { Detail, VideoStatus } from '../store/store.ts'

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
  /** Files and folders left out by rules, or because they are hidden or a system's own. */
  readonly excluded: number
  /** Files and folders that could not be read: videos may be missing. */
  readonly unreadable: number
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
  /** What is stored was of an older version, and this step brought it up to date. */
  | { readonly type: 'migrated'; readonly name: string; readonly description: string }
  /** All files are listed; the work begins. */
  | { readonly type: 'found'; readonly videos: number; readonly bytes: number }
  /** A file or folder that is passed over. */
  | ({ readonly type: 'skipped' } & SkippedFile)
  /** A video is about to be decoded and encoded. */
  | { readonly type: 'started'; readonly path: string; readonly bytes: number }
  /** A batch was encoded. */
  | {
      readonly type: 'progress'
      readonly path: string
      /** Time in seconds that the video has reached. */
      readonly atSeconds: number
      readonly durationSeconds?: number
      /** Frames of this video so far. */
      readonly frames: number
      /** Patches in this batch. */
      readonly encoded: number
    }
  /** A coarse run has a file at the present level of detail; finer ones follow. */
  | { readonly type: 'coarse'; readonly path: string; readonly bytes: number }
  /** A coarse run has all videos at a level of detail: a search finds every one of them. The next level follows. */
  | { readonly type: 'searchable'; readonly detail: Detail }
  /** Hardware was to decode it, and did not; it is decoded all the same. */
  | { readonly type: 'software'; readonly path: string; readonly reason: string }
  /** A file is done; what is said of it is durable. */
  | { readonly type: 'video'; readonly result: VideoResult; readonly bytes: number }
  /** A file that the collection knows is not there any more; `prune` forgets it. */
  | { readonly type: 'vanished'; readonly path: string }
  /** All is done. */
  | { readonly type: 'done'; readonly totals: IngestTotals }

export const noTotals: IngestTotals = {
  videos: 0,
  complete: 0,
  partial: 0,
  failed: 0,
  skipped: 0,
  excluded: 0,
  unreadable: 0,
  otherShards: 0,
  frames: 0,
  points: 0,
  encoded: 0,
  unchanged: 0,
  seconds: 0,
  encoderBusy: null,
  device: null,
}

/** The totals of two runs, one after the other. */
export const sumOf = (a: IngestTotals, b: IngestTotals): IngestTotals => ({
  videos: a.videos + b.videos,
  complete: a.complete + b.complete,
  partial: a.partial + b.partial,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  excluded: a.excluded + b.excluded,
  unreadable: a.unreadable + b.unreadable,
  otherShards: a.otherShards + b.otherShards,
  frames: a.frames + b.frames,
  points: a.points + b.points,
  encoded: a.encoded + b.encoded,
  unchanged: a.unchanged + b.unchanged,
  seconds: a.seconds + b.seconds,
  encoderBusy: weighed(a, b),
  device: b.device ?? a.device,
})

/** Weighed by the patches that each encoded. */
const weighed = (a: IngestTotals, b: IngestTotals): number | null => {
  if (a.encoderBusy === null || b.encoderBusy === null) return a.encoderBusy ?? b.encoderBusy
  return (a.encoderBusy * a.encoded + b.encoderBusy * b.encoded) / (a.encoded + b.encoded)
}

/** @param found what was passed over, and how many videos belong to other shards */
export const totalsOf = (
  results: readonly VideoResult[],
  { skipped, otherShards }: Pick<FoundFiles, 'skipped' | 'otherShards'>,
): Omit<IngestTotals, 'seconds' | 'encoderBusy' | 'device'> => {
  const ofKind = (kind: SkipKind) => skipped.filter((each) => each.kind === kind).length
  const withStatus = (status: string) => results.filter((result) => result.status === status).length
  // Copies share the frames and points of one video.
  const videos = [...new Map(results.map((result) => [result.video ?? result.path, result])).values()]
  const sum = (field: 'frames' | 'points') => videos.reduce((total, result) => total + result[field], 0)
  return {
    videos: results.length,
    complete: withStatus('complete'),
    partial: withStatus('partial'),
    failed: withStatus('failed'),
    skipped: ofKind('not a video'),
    excluded: ofKind('excluded'),
    unreadable: ofKind('unreadable'),
    otherShards,
    frames: sum('frames'),
    points: sum('points'),
    encoded: results.reduce((total, { encoded }) => total + encoded, 0),
    unchanged: results.reduce((total, { unchanged }) => total + unchanged, 0),
  }
}
