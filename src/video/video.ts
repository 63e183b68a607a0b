import { VidgrepError } from '../errors.ts'

/** What a file says of its video stream: the default one, then the largest. */
export type VideoInfo = {
  readonly path: string
  /** Seconds of video, `undefined` where neither the container nor the stream says. */
  readonly durationSeconds: number | undefined
  /** When the picture begins, in seconds from the start of the file: later than 0 where the sound begins earlier. */
  readonly startSeconds: number
  /** Size of the displayed picture in pixels: rotation and pixel aspect ratio applied. */
  readonly width: number
  readonly height: number
  readonly codec: string
  /** Frames a second on average, 0 where unknown. */
  readonly frameRate: number
  /** When it was recorded, ISO 8601 in UTC, where the file says so believably. */
  readonly recordedAt?: string
}

/**
 * How the decoder shall hand out a frame: the displayed picture scaled to `width` × `height` pixels, then cut to `crop`
 * where given.
 */
export type View = {
  readonly width: number
  readonly height: number
  /** @default 'bicubic' */
  readonly interpolation?: 'bicubic' | 'bilinear'
  readonly crop?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
}

/**
 * Which frames are decoded: all of them; those that others are made from (the rest can be left out without harm, which
 * about halves the work where a file has B-frames); or key frames, which stand by themselves.
 */
export type DecodedFrames = 'all' | 'references' | 'keys'

/** RGB, 8 bits a channel, row by row without padding: `data.length === width * height * 3`. */
export type Picture = { readonly width: number; readonly height: number; readonly data: Uint8Array }

/** One sampled frame; `views[i]` is the picture that the i-th requested {@link View} asks for. */
export type Frame = {
  /** Presentation time in seconds, as the file has it. */
  readonly timestampSeconds: number
  readonly views: readonly Picture[]
  /** Hands the memory of the views back for a later frame: they must not be read any more. May be left out. */
  done?(): void
}

export type FramesOptions = {
  /** Least seconds from one frame taken to the next; 0 for every frame. */
  readonly everySeconds: number
  /** The pictures to make of each frame; at least one. */
  readonly views: readonly View[]
  /**
   * Which frames may be taken. `references` is a permission: it is used where frames lie so close that a sample
   * moves by a small part of `everySeconds` only. @default 'all'
   */
  readonly decode?: DecodedFrames
  /** Threads that decode. Default: about one a core. */
  readonly threads?: number
  /** Decode in hardware: ffmpeg's name of a way (`cuda`, `vaapi`, `videotoolbox` …), or `auto`. */
  readonly hwaccel?: string
  /** Told why hardware that was asked for did not decode; the frames come all the same. */
  readonly onSoftware?: (reason: string) => void
  readonly signal?: AbortSignal
  /** Seconds in which ffmpeg neither makes progress nor complains, after which it is taken to hang. @default 60 */
  readonly silenceSeconds?: number
  /** What `probe` said of the file; asked again where it is missing. */
  readonly info?: VideoInfo
}

/** Decoding went wrong or ended early; thrown after the last good frame was handed out. The message is the reason. */
export class DamagedVideoError extends VidgrepError {
  /** Presentation time of the last frame that was handed out, `undefined` if there was none. */
  readonly reachedSeconds: number | undefined

  constructor(message: string, details: { remedy: string; cause?: unknown; reachedSeconds: number | undefined }) {
    super('damaged-video', message, details)
    this.reachedSeconds = details.reachedSeconds
  }
}

/** @param reachedSeconds presentation time of the last frame that was handed out */
export const damaged = (
  { path }: Pick<VideoInfo, 'path'>,
  message: string,
  reachedSeconds: number | undefined,
): DamagedVideoError =>
  new DamagedVideoError(message, {
    remedy: `Copy or download it again, or see what is wrong: ffmpeg -v error -i "${path}" -f null -`,
    reachedSeconds,
  })
