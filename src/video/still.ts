import { UsageError } from '../errors.ts'
import { asOnDisk } from '../files/paths.ts'
import { checkReadable } from '../files/regular.ts'
import { checkReached } from './complete.ts'
import { type DecodeRequest, openDecoder, type RawFrame } from './decoder.ts'
import { packingOf, unpack } from './filterGraph.ts'
import { checkView } from './frames.ts'
import { secondsOf } from './log.ts'
import { type StreamInfo, streamInfo } from './probe.ts'
import { toleranceSeconds } from './sampling.ts'
import { damaged, type Picture, type VideoInfo, type View } from './video.ts'

export type FrameOptions = {
  readonly signal?: AbortSignal
  /** Size of the picture in pixels. Default: as displayed; with one of the two, the other keeps the proportions. */
  readonly width?: number
  readonly height?: number
  /** What `probe` said of the file; asked again where it is missing. */
  readonly info?: VideoInfo
}

/** Times are shown in milliseconds: a time rounded down by half of one still means the frame that was shown. */
const roundingSeconds = 0.0005

/** How far before the wanted time to look for its frame first, in frames at the average rate. */
const nearFrames = 3

/** How much earlier to begin, in seconds, where a seek went past the wanted time: streams without an index land anywhere. */
const earlierSeconds = [0, 10, 60]

/**
 * The picture that is shown at a time: that of the last frame that is not shown later (half a millisecond
 * is forgiven), before the first frame the first one, after the end the last one.
 *
 * @throws UsageError if the time or the size is out of range
 * @throws UnreadableFileError, NotAVideoError as `probe`
 * @throws DamagedVideoError if that part of the video cannot be decoded
 */
export const frame = async (given: string, timestampSeconds: number, options: FrameOptions = {}): Promise<Picture> => {
  const { signal, info } = options
  if (!Number.isFinite(timestampSeconds)) {
    throw new UsageError(`Expected a time in seconds, got ${timestampSeconds}`, { remedy: 'Use for instance 12.5' })
  }
  const path = await asOnDisk(given)
  await checkReadable(path)
  const stream = await streamInfo(path, info, { signal })
  const view = viewOf(stream, options)
  const wanted = timestampSeconds + roundingSeconds
  for (const seekSeconds of seekPoints(stream, wanted)) {
    const request = { stream, views: [view], seekSeconds, signal }
    const near = seekSeconds === undefined ? undefined : await lastUpTo(wanted, request, nearestFrom(stream, wanted))
    if (near?.shown) return picture(stream, near, view, signal)
    if (near?.isUnsound) continue
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
  const points = isSeekable ? earlierSeconds.map((earlier) => latest - earlier) : []
  return [...points.filter((seconds) => seconds > startSeconds), undefined]
}

const nearestFrom = ({ frameRate, endSeconds }: StreamInfo, wanted: number): number =>
  Math.min(wanted, endSeconds ?? wanted) - nearFrames / (frameRate || 30)

type Found = {
  /** The last frame up to the wanted time. */
  readonly shown?: RawFrame
  /** The first frame of all that were decoded. */
  readonly first?: RawFrame
  /** A later frame was seen, so that nothing can be missing. */
  readonly isFollowed?: boolean
  /** The seek did not land on a key frame at or before the wanted time: what comes out is late, or broken. */
  readonly isUnsound?: boolean
}

/** @param fromSeconds frames before this one are decoded but not looked at */
const lastUpTo = async (wanted: number, request: DecodeRequest, fromSeconds?: number): Promise<Found> => {
  const select =
    fromSeconds === undefined ? request.select : `eq(n,0)+gte(pts*TB,${fromSeconds + request.stream.clockStartSeconds})`
  let shown: RawFrame | undefined
  let first: RawFrame | undefined
  for await (const raw of openDecoder({ ...request, select }).frames) {
    if (!raw.time) continue
    const seconds = secondsOf(raw.time, request.stream)
    const isPast = seconds > wanted + toleranceSeconds
    if (!first && request.seekSeconds !== undefined && (isPast || !raw.isKey)) return { isUnsound: true }
    first ??= raw
    if (isPast) return { shown, first, isFollowed: true }
    if (fromSeconds === undefined || seconds >= fromSeconds) shown = raw
  }
  return first ? { shown, first } : { isUnsound: request.seekSeconds !== undefined }
}

/** For times without a frame nearby: finds the frame's time with tiny pictures, then decodes that frame. */
const lookTwice = async (wanted: number, request: DecodeRequest): Promise<Found | undefined> => {
  const found = await lastUpTo(wanted, { ...request, views: [{ width: 2, height: 2 }] })
  const time = (found.shown ?? found.first)?.time
  if (!time) return undefined
  const only = `eq(n,0)+gte(pts,${time.pts})`
  const again = await lastUpTo(Math.max(wanted, secondsOf(time, request.stream)), { ...request, select: only })
  return again.shown && { ...again, isFollowed: found.isFollowed ?? false }
}

const picture = async (
  stream: StreamInfo,
  found: Found,
  view: View,
  signal: AbortSignal | undefined,
): Promise<Picture> => {
  const { time, packed } = found.shown!
  if (!found.isFollowed) await checkReached(stream, { lastSeconds: secondsOf(time!, stream), everySeconds: 0, signal })
  return unpack(packed, packingOf([view]))[0]!
}

const viewOf = (info: VideoInfo, { width, height }: FrameOptions): View => {
  const scale = width !== undefined ? width / info.width : height !== undefined ? height / info.height : 1
  const size = (given: number | undefined, own: number) => given ?? Math.max(1, Math.round(own * scale))
  const view = { width: size(width, info.width), height: size(height, info.height) }
  checkView(view)
  return view
}
