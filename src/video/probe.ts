import { checkReadable, NotAVideoError } from '../files/regular.ts'
import { type ClockMark, type ClockSource, clockLimits, fromStart, isSetAnew, readClock } from './clock.ts'
import { type DisplaySource, displaySize, type Orientation, orientationOf } from './display.ts'
import { endOptions, ffprobe, type ListedPacket, type Packet, packetsOf } from './ffprobe.ts'
import type { DecodedFrames, VideoInfo } from './video.ts'

export type ProbeOptions = {
  readonly signal?: AbortSignal
  /** Which frames will be decoded. With `keys` the end of the file is looked at too, which saves another look later. */
  readonly decode?: DecodedFrames
}

/** What decoding has to know beyond {@link VideoInfo}. */
export type StreamInfo = VideoInfo & {
  /** Number of the stream within the file. */
  readonly index: number
  /** Options for ffmpeg and ffprobe to look further into the file, where its picture begins late. */
  readonly lookOptions: readonly string[]
  /** A broadcast stream, which may have been recorded from the middle of a picture on. */
  readonly beginsAnywhere: boolean
  /** Presentation time at which the file starts, in seconds as its clock has them: all other times count from here. */
  readonly clockStartSeconds: number
  /** The clock of a broadcast stream was set anew somewhere, as where recordings were joined: its times lead nowhere. */
  readonly isJoined: boolean
  /** Where the clock of a broadcast stream is written, and what it says all over the file. */
  readonly clock: (ClockSource & { readonly marks: readonly ClockMark[] }) | undefined
  readonly orientation: Orientation
  readonly pixelFormat: string
  /** ffmpeg's names: "bt709", "smpte170m", "tv", "pc" …; `undefined` where the file does not say. */
  readonly colorMatrix: string | undefined
  readonly colorRange: string | undefined
  readonly colorTransfer: string | undefined
  readonly colorPrimaries: string | undefined
  readonly codedHeight: number
  /** SMPTE time code of the first frame, as the file writes it: "10:00:00:00", with ";" where numbers are dropped. */
  readonly timecode?: string
  /** All frames are shown for about as long. */
  readonly isSteady: boolean
  /** Time in seconds at which the last frame's display ends, `undefined` where nobody says. */
  readonly endSeconds: number | undefined
  /** The end is that of the whole file, where another stream may be the longest. */
  readonly endIsOfFile: boolean
  /** The container says how long it is, so that seeking lands where it should. */
  readonly isSeekable: boolean
  /** Frames may be left unread without harm to the times of the others. */
  readonly keepsTimesUnread: boolean
  /** Times are written in the file; in AVI they are counted from one frame to the next, and hold only if all are decoded. */
  readonly statesTimes: boolean
  /** Packets from the last key frame on, where {@link ProbeOptions.decode} asked for them. */
  readonly endPackets: readonly Packet[]
  /** The sound, track by track. */
  readonly sound: readonly { readonly index: number; readonly codec: string }[]
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
export const probe = async (path: string, options: ProbeOptions = {}): Promise<VideoInfo> => {
  await checkReadable(path)
  let lookOptions: readonly string[] = []
  let answer = await ask(path, lookOptions, options)
  if (!mainVideo(answer) && mayBeginLate(answer)) {
    lookOptions = furtherOptions
    answer = await ask(path, lookOptions, options)
  }
  const video = mainVideo(answer)
  if (!video) throw withoutVideo(path, answer)
  const source = clockSource(path, answer, video)
  const clock = source && { ...source, marks: await readClock(source) }
  const stream = describe(path, answer, video, clock, lookOptions)
  const { durationSeconds, startSeconds, width, height, codec, frameRate, recordedAt } = stream
  const info: VideoInfo = { path, durationSeconds, startSeconds, width, height, codec, frameRate, recordedAt }
  details.set(info, stream)
  return info
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

const ask = async (path: string, lookOptions: readonly string[], { decode, signal }: ProbeOptions): Promise<Answer> => {
  const options = [...lookOptions, '-show_format', '-show_streams']
  try {
    if (decode === 'keys') return await ffprobe<Answer>(path, [...options, ...endOptions], { signal })
  } catch (error) {
    // It refuses to answer at all where it cannot go to the end.
    if (!(error instanceof NotAVideoError)) throw error
  }
  return ffprobe<Answer>(path, options, { signal })
}

/** How far to look where the usual five to seven seconds show no picture: microseconds, and bytes kept in memory. */
const furtherOptions = ['-analyzeduration', '60000000', '-probesize', '200000000']

/** Of several the one that is marked as the default, then the largest: as players choose. */
const mainVideo = ({ streams = [] }: Answer): SizedStream | undefined =>
  streams
    .filter((stream): stream is SizedStream => isVideo(stream) && !!stream.width && !!stream.height)
    .sort((a, b) => isDefault(b) - isDefault(a) || b.width * b.height - a.width * a.height || a.index - b.index)[0]

const isVideo = ({ codec_type, disposition }: Stream): boolean =>
  codec_type === 'video' && !disposition?.attached_pic && !disposition?.timed_thumbnails

const isDefault = ({ disposition }: Stream): number => disposition?.default ?? 0

/** Broadcast streams list what is in them as it comes; of others, a stream may be listed without a picture so far. */
const mayBeginLate = ({ streams = [], format }: Answer): boolean => isBroadcast(format) || streams.some(isVideo)

const isBroadcast = ({ format_name }: Format = {}): boolean => format_name === 'mpegts' || format_name === 'mpeg'

const withoutVideo = (path: string, { streams = [] }: Answer): NotAVideoError => {
  const kinds = [...new Set(streams.map(({ codec_type }) => codec_type ?? 'unknown'))].join(', ') || 'no streams'
  const got = streams.some(isVideo) ? 'a video stream without a picture size' : kinds
  return new NotAVideoError(`Expected a video stream, got ${got}: ${path}`, {
    remedy: `Look into it: ffprobe "${path}"`,
  })
}

const clockSource = (path: string, { format }: Answer, { id }: Stream): ClockSource | undefined =>
  isBroadcast(format) && id !== undefined
    ? { path, id: Number(id), isTransport: format?.format_name === 'mpegts' }
    : undefined

type SizedStream = Stream & { readonly width: number; readonly height: number }

type Stream = Omit<DisplaySource, 'width' | 'height'> & {
  readonly index: number
  readonly width?: number
  readonly height?: number
  /** "0x100" */
  readonly id?: string
  readonly codec_type?: string
  readonly codec_name?: string
  readonly pix_fmt?: string
  /** Frames that are stored before others that are shown earlier, at most. */
  readonly has_b_frames?: number
  readonly color_space?: string
  readonly color_range?: string
  readonly color_transfer?: string
  readonly color_primaries?: string
  readonly avg_frame_rate?: string
  readonly r_frame_rate?: string
  readonly start_pts?: number
  readonly start_time?: string
  readonly duration?: string
  readonly nb_frames?: string
  readonly time_base?: string
  readonly disposition?: {
    readonly default?: number
    readonly attached_pic?: number
    readonly timed_thumbnails?: number
  }
  readonly tags?: { readonly rotate?: string; readonly DURATION?: string; readonly [name: string]: string | undefined }
}

type Format = {
  readonly format_name?: string
  readonly start_time?: string
  readonly duration?: string
  readonly tags?: { readonly timecode?: string; readonly [name: string]: string | undefined }
}

type Answer = {
  readonly packets?: readonly ListedPacket[]
  readonly streams?: readonly Stream[]
  readonly format?: Format
}

const describe = (
  path: string,
  { format = {}, streams = [], packets }: Answer,
  stream: SizedStream,
  clock: StreamInfo['clock'],
  lookOptions: readonly string[],
): StreamInfo => {
  const orientation = orientationOf(stream)
  const isMatroska = format.format_name?.startsWith('matroska') ?? false
  // Its reader takes the gap between storing and showing for the next frame that it reads from the next one stored.
  const isMp4 = format.format_name?.startsWith('mov') ?? false
  const clockStart = startOf(format, streams)
  const start = exactStart(stream) ?? clockStart
  const isBare = isBareVideo(format)
  const ofStream =
    isBare || statesLengthOnce(format)
      ? undefined
      : (statedByAvi(format, stream) ?? length(stream.duration) ?? taggedDuration(stream))
  const ofFile = isBare ? undefined : length(format.duration)
  // Matroska states where the end is rather than how long the stream is, as ffmpeg writes it.
  const base = isMatroska ? 0 : ofStream === undefined ? clockStart : start
  const stated = ofStream ?? ofFile
  // What is stated is the clock's last time less its first: of no use where the clock was set anew in between.
  const frameRate = fraction(stream.avg_frame_rate)
  const isJoined = clock !== undefined && isSetAnew(clock.marks, clockLimits(frameRate, stated))
  const end = stated === undefined || isJoined ? undefined : base + stated
  return {
    path,
    durationSeconds: end !== undefined && end > start ? end - start : isJoined ? undefined : stated,
    startSeconds: fromStart(start, clockStart),
    ...displaySize(stream, orientation),
    codec: stream.codec_name ?? 'unknown',
    recordedAt: recordedAt([format, stream, ...streams]),
    index: stream.index,
    lookOptions,
    beginsAnywhere: isBroadcast(format),
    clockStartSeconds: clockStart,
    isJoined,
    clock,
    orientation,
    pixelFormat: stream.pix_fmt ?? '',
    colorMatrix: known(stream.color_space),
    colorRange: known(stream.color_range),
    colorTransfer: known(stream.color_transfer),
    colorPrimaries: known(stream.color_primaries),
    codedHeight: stream.height,
    timecode: [stream, format, ...streams].find(({ tags }) => tags?.timecode)?.tags?.timecode,
    frameRate,
    isSteady: frameRate >= steadiness * fraction(stream.r_frame_rate),
    endSeconds: end === undefined ? undefined : fromStart(end, clockStart),
    endIsOfFile: ofStream === undefined,
    isSeekable: ofFile !== undefined && !isJoined,
    keepsTimesUnread: !(isMp4 && stream.has_b_frames !== 0),
    statesTimes: !(format.format_name === 'avi' && stream.has_b_frames !== 0),
    endPackets: packetsOf(packets, clockStart),
    sound: streams.flatMap(({ index, codec_type, codec_name }) =>
      codec_type === 'audio' && codec_name && codec_name !== 'unknown' ? [{ index, codec: codec_name }] : [],
    ),
    otherCodecs: streams.filter(({ index }) => index !== stream.index).flatMap(({ codec_name }) => codec_name ?? []),
  }
}

/** Apple's tag first: it has the time zone of the place, and stays as it was when the file is exported. */
const recordingTags = ['com.apple.quicktime.creationdate', 'creation_time', 'DATE_RECORDED'] as const

/** The first digital video cameras. Clocks that were never set begin at 1904 or 1970. */
const firstRecordingMs = Date.UTC(1990, 0)
const dayMs = 24 * 3600 * 1000

const recordedAt = (tagged: readonly { readonly tags?: Readonly<Record<string, string | undefined>> }[]) => {
  for (const name of recordingTags) {
    for (const { tags } of tagged) {
      // "+0200" as Apple writes it is "+02:00" in ISO 8601.
      const written = tags?.[name]?.trim().replace(/([+-]\d\d)(\d\d)$/, '$1:$2')
      const time = written && /^\d{4}-\d{2}-\d{2}/.test(written) ? Date.parse(written) : Number.NaN
      if (time >= firstRecordingMs && time <= Date.now() + dayMs) return new Date(time).toISOString()
    }
  }
  return undefined
}

/** ffprobe rounds the file's start to microseconds; it is that of one of the streams, which say it in ticks. */
const startOf = ({ start_time }: Format, streams: readonly Stream[]): number => {
  const start = seconds(start_time) ?? 0
  const first = streams.find((stream) => Math.abs((exactStart(stream) ?? Number.NaN) - start) < 2e-6)
  return (first && exactStart(first)) ?? start
}

const exactStart = ({ start_pts, time_base }: Stream): number | undefined =>
  start_pts === undefined || time_base === undefined ? undefined : times(start_pts, time_base)

const times = (ticks: number, timeBase: string): number => {
  const [over, under] = timeBase.split('/').map(Number)
  return (ticks * over!) / under!
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
