import { UsageError } from '../errors.ts'
import { checkReached, damaged } from './complete.ts'
import { type DecodeRequest, openDecoder, type RawFrame } from './decoder.ts'
import { checkView, toleranceSeconds } from './frames.ts'
import { packingOf, unpack } from './graph.ts'
import { checkReadable } from './input.ts'
import { secondsOf } from './log.ts'
import { type StreamInfo, streamInfo } from './probe.ts'
import type { Picture, VideoInfo, View } from './video.ts'

export type FrameOptions = {
  readonly signal?: AbortSignal | undefined
  /** Size of the picture in pixels. Default: as displayed; with one of the two, the other keeps the proportions. */
  readonly width?: number | undefined
  readonly height?: number | undefined
  /** What `probe` said of the file; asked again where it is missing. */
  readonly info?: VideoInfo | undefined
}

/** Times are shown in milliseconds: a time rounded down by half of one still means the frame that was shown. */
const roundingSeconds = 0.0005

/** How far before the wanted time to look for its frame first, in frames at the average rate. */
const nearFrames = 3

/** How much earlier to begin where a seek went past the wanted time (streams without an index land anywhere), in seconds. */
const earlierSeconds = 10

/**
 * The picture that is shown at a time: that of the last frame whose presentation time is not later (half a millisecond
 * is forgiven), before the first frame the first one, after the end the last one.
 *
 * @throws UsageError if the time or the size is out of range
 * @throws UnreadableFileError, NotAVideoError as `probe`
 * @throws DamagedVideoError if that part of the video cannot be decoded
 */
export const frame = async (path: string, timestampSeconds: number, options: FrameOptions = {}): Promise<Picture> => {
  const { signal, info } = options
  if (!Number.isFinite(timestampSeconds)) {
    throw new UsageError(`Expected a time in seconds, got ${timestampSeconds}`, { remedy: 'Use for instance 12.5' })
  }
  await checkReadable(path)
  const stream = await streamInfo(path, info, { signal })
  const view = viewOf(stream, options)
  const wanted = timestampSeconds + roundingSeconds
  for (const seekSeconds of seekPoints(stream, wanted)) {
    const request = { stream, views: [view], seekSeconds, signal }
    const near = await lastUpTo(wanted, { ...request, select: `gte(pts*TB,${nearestFrom(stream, wanted)})` })
    if (near.shown && seekSeconds !== undefined) return picture(stream, near, view, signal)
    const exact = await lookTwice(wanted, request)
    if (exact) return picture(stream, exact, view, signal)
  }
  throw damaged(stream, 'no frame could be decoded', undefined)
}

/** The seek may land after the wanted time; then begin earlier, and last of all at the beginning. */
const seekPoints = (
  { isSeekable, startSeconds, endSeconds }: StreamInfo,
  wanted: number,
): readonly (number | undefined)[] => {
  const latest = Math.min(wanted, endSeconds ?? wanted)
  const points = isSeekable ? [latest, latest - earlierSeconds] : []
  return [...points.filter((seconds) => seconds > startSeconds), undefined]
}

const nearestFrom = ({ frameRate, endSeconds }: StreamInfo, wanted: number): number =>
  Math.min(wanted, endSeconds ?? wanted) - nearFrames / (frameRate || 30)

type Found = {
  /** The last frame up to the wanted time. */
  readonly shown: RawFrame | undefined
  /** The first frame of all that were decoded. */
  readonly first: RawFrame | undefined
  /** A later frame was seen, so that nothing can be missing. */
  readonly isFollowed: boolean
}

const lastUpTo = async (wanted: number, request: DecodeRequest): Promise<Found> => {
  const decoder = await openDecoder(request)
  let shown: RawFrame | undefined
  let first: RawFrame | undefined
  try {
    for await (const raw of decoder.frames()) {
      if (!raw.time) continue
      first ??= raw
      if (secondsOf(raw.time) > wanted + toleranceSeconds) return { shown, first, isFollowed: true }
      shown = raw
    }
    return { shown, first, isFollowed: false }
  } finally {
    await decoder.stop()
  }
}

/** For times without a frame nearby: finds the frame's time with pictures of one pixel, then decodes that frame. */
const lookTwice = async (
  wanted: number,
  request: DecodeRequest & { readonly seekSeconds: number | undefined },
): Promise<Found | undefined> => {
  const found = await lastUpTo(wanted, { ...request, views: [{ width: 2, height: 2 }] })
  const isBeginning = request.seekSeconds === undefined
  const time = (found.shown ?? (isBeginning ? found.first : undefined))?.time
  if (!time) return undefined
  const again = await lastUpTo(Math.max(wanted, secondsOf(time)), { ...request, select: `eq(pts,${time.pts})` })
  return again.shown && { ...again, isFollowed: found.isFollowed }
}

const picture = async (
  stream: StreamInfo,
  found: Found,
  view: View,
  signal: AbortSignal | undefined,
): Promise<Picture> => {
  const { time, packed } = found.shown!
  if (!found.isFollowed) await checkReached(stream, { lastSeconds: secondsOf(time!), everySeconds: 0, signal })
  return unpack(packed, packingOf([view]))[0]!
}

const viewOf = (info: VideoInfo, { width, height }: FrameOptions): View => {
  const scale = width !== undefined ? width / info.width : height !== undefined ? height / info.height : 1
  const size = (given: number | undefined, own: number) => given ?? Math.max(1, Math.round(own * scale))
  const view = { width: size(width, info.width), height: size(height, info.height) }
  checkView(view)
  return view
}
