import { checkReadable, NotAVideoError } from '../files/regular.ts'
import { type DisplaySource, displaySize, type Orientation, orientationOf } from './display.ts'
import { ffprobe } from './ffprobe.ts'
import type { VideoInfo } from './video.ts'

export type ProbeOptions = { readonly signal?: AbortSignal }

/** What decoding has to know beyond {@link VideoInfo}. */
export type StreamInfo = VideoInfo & {
  /** Number of the stream within the file. */
  readonly index: number
  /** A broadcast stream, which may have been recorded from the middle of a picture on. */
  readonly beginsAnywhere: boolean
  readonly orientation: Orientation
  readonly pixelFormat: string
  /** ffmpeg's names: "bt709", "smpte170m", "tv", "pc" …; `undefined` where the file does not say. */
  readonly colorMatrix: string | undefined
  readonly colorRange: string | undefined
  readonly codedHeight: number
  /** Frames a second on average, 0 where unknown. */
  readonly frameRate: number
  /** All frames are shown for about as long. */
  readonly isSteady: boolean
  /** Presentation time in seconds at which the last frame's display ends, `undefined` where nobody says. */
  readonly endSeconds: number | undefined
  /** The end is that of the whole file, where another stream may be the longest. */
  readonly endIsOfFile: boolean
  /** The container says how long it is, so that seeking lands where it should. */
  readonly isSeekable: boolean
  /** Frames may be left unread without harm to the times of the others. */
  readonly keepsTimesUnread: boolean
  /** Codecs of the other streams: what they complain about does not concern the picture. */
  readonly otherCodecs: readonly string[]
}

/** Where frames are missing here and there, the average rate falls short of the rate that fits all their times. */
const steadiness = 0.9

/** Details stay here, so that a caller can hand a plain {@link VideoInfo} back without knowing of them. */
const details = new WeakMap<VideoInfo, StreamInfo>()

/**
 * Asks what is in a file, without decoding it.
 *
 * @throws UnreadableFileError if there is no such file or it may not be read
 * @throws NotAVideoError if it holds no video stream (a cover picture is none)
 */
export const probe = async (path: string, { signal }: ProbeOptions = {}): Promise<VideoInfo> => {
  await checkReadable(path)
  const answer = await ffprobe<Answer>(path, ['-show_format', '-show_streams'], { signal })
  const streams = answer.streams ?? []
  const stream = streams.find(isVideo)
  if (!stream?.width || !stream.height) {
    const kinds = [...new Set(streams.map(({ codec_type }) => codec_type ?? 'unknown'))].join(', ') || 'no streams'
    const got = stream ? 'a video stream without a picture size' : kinds
    throw new NotAVideoError(`Expected a video stream, got ${got}: ${path}`, {
      remedy: `Look into it: ffprobe "${path}"`,
    })
  }
  const info = describe(path, answer.format ?? {}, { ...stream, width: stream.width, height: stream.height }, streams)
  details.set(info.shown, info.stream)
  return info.shown
}

/** The details of what {@link probe} returned; asks again for any other object. */
export const streamInfo = async (
  path: string,
  info: VideoInfo | undefined,
  options: ProbeOptions,
): Promise<StreamInfo> => {
  const known = info && details.get(info)
  return known ?? details.get(await probe(path, options))!
}

type Stream = Omit<DisplaySource, 'width' | 'height'> & {
  readonly index: number
  readonly width?: number
  readonly height?: number
  readonly codec_type?: string
  readonly codec_name?: string
  readonly pix_fmt?: string
  /** Frames that are stored before others that are shown earlier, at most. */
  readonly has_b_frames?: number
  readonly color_space?: string
  readonly color_range?: string
  readonly avg_frame_rate?: string
  readonly r_frame_rate?: string
  readonly start_time?: string
  readonly duration?: string
  readonly nb_frames?: string
  readonly time_base?: string
  readonly disposition?: { readonly attached_pic?: number; readonly timed_thumbnails?: number }
  readonly tags?: { readonly rotate?: string; readonly DURATION?: string; readonly [name: string]: string | undefined }
}

type Format = { readonly format_name?: string; readonly start_time?: string; readonly duration?: string }

type Answer = { readonly streams?: readonly Stream[]; readonly format?: Format }

const isVideo = ({ codec_type, disposition }: Stream): boolean =>
  codec_type === 'video' && !disposition?.attached_pic && !disposition?.timed_thumbnails

const describe = (path: string, format: Format, stream: Stream & DisplaySource, streams: readonly Stream[]) => {
  const orientation = orientationOf(stream)
  const start = seconds(stream.start_time) ?? seconds(format.start_time) ?? 0
  const isMatroska = format.format_name?.startsWith('matroska') ?? false
  // Its reader takes the gap between storing and showing for the next frame that it reads from the next one stored.
  const isMp4 = format.format_name?.startsWith('mov') ?? false
  const isBare = isBareVideo(format)
  const ofStream =
    isBare || statesLengthOnce(format)
      ? undefined
      : (statedByAvi(format, stream) ?? length(stream.duration) ?? taggedDuration(stream))
  const ofFile = isBare ? undefined : length(format.duration)
  // Matroska states where the end is rather than how long the stream is, as ffmpeg writes it.
  const base = isMatroska ? 0 : ofStream === undefined ? (seconds(format.start_time) ?? 0) : start
  const stated = ofStream ?? ofFile
  const end = stated === undefined ? undefined : base + stated
  const shown: VideoInfo = {
    path,
    durationSeconds: end !== undefined && end > start ? end - start : stated,
    startSeconds: start,
    ...displaySize(stream, orientation),
    codec: stream.codec_name ?? 'unknown',
  }
  const details: StreamInfo = {
    ...shown,
    index: stream.index,
    beginsAnywhere: format.format_name === 'mpegts' || format.format_name === 'mpeg',
    orientation,
    pixelFormat: stream.pix_fmt ?? '',
    colorMatrix: known(stream.color_space),
    colorRange: known(stream.color_range),
    codedHeight: stream.height,
    frameRate: fraction(stream.avg_frame_rate),
    isSteady: fraction(stream.avg_frame_rate) >= steadiness * fraction(stream.r_frame_rate),
    endSeconds: end,
    endIsOfFile: ofStream === undefined,
    isSeekable: ofFile !== undefined,
    keepsTimesUnread: !(isMp4 && stream.has_b_frames !== 0),
    otherCodecs: streams.filter(({ index }) => index !== stream.index).flatMap(({ codec_name }) => codec_name ?? []),
  }
  return { shown, stream: details }
}

const known = (name: string | undefined): string | undefined =>
  name === 'unknown' || name === 'unspecified' ? undefined : name

/** Seconds as ffprobe writes them, or "N/A". */
const seconds = (text: string | undefined): number | undefined => {
  const value = Number(text ?? Number.NaN)
  return Number.isFinite(value) ? value : undefined
}

/** A length of zero says nothing: a header that was never completed has it. */
const length = (text: string | undefined): number | undefined => {
  const value = seconds(text)
  return value !== undefined && value > 0 ? value : undefined
}

/** Containers with one length for all their streams: ffprobe gives it to each of them. */
const statesLengthOnce = ({ format_name = '' }: Format): boolean => /^(flv|live_flv|asf|asf_o|wtv)$/.test(format_name)

/** A stream without a container: its length is guessed from its bit rate. */
const isBareVideo = ({ format_name = '' }: Format): boolean => /^(mpegvideo|m4v|mjpeg|h26[134]|hevc)$/.test(format_name)

/** An AVI that was cut off is as long as what is left of it; its header still counts the frames that it had. */
const statedByAvi = (format: Format, { nb_frames, time_base }: Stream): number | undefined =>
  format.format_name === 'avi' ? length(`${Number(nb_frames) * fraction(time_base)}`) : undefined

/** Matroska keeps each stream's length in a tag: "00:00:03.666000000". */
const taggedDuration = ({ tags }: Stream): number | undefined => {
  const [, hours, minutes, rest] = tags?.DURATION?.match(/^(\d+):(\d+):([\d.]+)$/) ?? []
  return rest === undefined ? undefined : Number(hours) * 3600 + Number(minutes) * 60 + Number(rest)
}

const fraction = (text = ''): number => {
  const [over, under] = text.split('/').map(Number)
  return over && under ? over / under : 0
}
