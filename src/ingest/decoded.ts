import { resolve } from 'node:path'
import type { ImageTower } from '../models/model.ts'
import type { PatchPlan } from '../patches/views.ts'
import type { Store, VideoFile, VideoRecord } from '../store/store.ts'
import type { Frame } from '../video/video.ts'
import type { Catalogue } from './catalogue.ts'
import type { VideoResult } from './events.ts'
import type { Job, Outcome } from './job.ts'
import type { SamplingSettings } from './sampling.ts'

/** What decoding hands to the next stage, in order for one video: started, frames, ended; or one `settled` alone. */
export type Decoded =
  | { readonly kind: 'started'; readonly job: Job }
  | { readonly kind: 'frame'; readonly job: Job; readonly frame: Frame; readonly plan: PatchPlan }
  | { readonly kind: 'ended'; readonly job: Job; readonly outcome: Outcome }
  | { readonly kind: 'software'; readonly path: string; readonly reason: string }
  | { readonly kind: 'settled'; readonly result: VideoResult; readonly bytes: number }

/** What changes how fast frames come, not which. */
export type Decoding = {
  /** Threads a video. */
  readonly threads: number
  /** ffmpeg's name of a way to decode in hardware. */
  readonly hwaccel?: string
}

export type DecodeContext = {
  readonly store: Store
  readonly catalogue: Catalogue
  /** Videos of this run by fingerprint: a copy joins the job of the first. */
  readonly running: Map<string, Job>
  readonly image: ImageTower
  readonly settings: SamplingSettings
  readonly decoding: Decoding
  /** Only the whole frames; the squares are left to another pass. */
  readonly coarse: boolean
  /** Index again what is complete. */
  readonly force: boolean
}

/** A file of a video that is in the collection. */
export const settled = (record: VideoRecord, file: VideoFile, startedMs: number): Decoded => ({
  kind: 'settled',
  bytes: file.bytes,
  result: {
    path: file.path,
    video: record.video,
    status: record.status,
    frames: record.frames,
    points: record.points,
    encoded: 0,
    unchanged: 0,
    seconds: secondsSince(startedMs),
    ...(record.reason === undefined ? {} : { reason: record.reason }),
  },
})

/** A file that nothing could be done with. */
export const failed = (path: string, reason: string, startedMs: number): Decoded => ({
  kind: 'settled',
  bytes: 0,
  result: {
    path: resolve(path),
    video: null,
    status: 'failed',
    frames: 0,
    points: 0,
    encoded: 0,
    unchanged: 0,
    seconds: secondsSince(startedMs),
    reason,
  },
})

const secondsSince = (startedMs: number): number => (performance.now() - startedMs) / 1000
