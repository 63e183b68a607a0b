import { extname } from 'node:path'
import { UsageError } from '../errors.ts'
import { asOnDisk } from '../files/paths.ts'
import { upright } from './display.ts'
import type { Packet } from './ffprobe.ts'
import { type StreamInfo, streamInfo } from './probe.ts'
import { countsDropped, frameAt, frameRateOf, framesOfTimecode, timecode } from './timecode.ts'
import { aac, encodeOptions, inputOptions, picturePackets, type Stretch, transcode, withinVideo } from './transcode.ts'
import { damaged } from './video.ts'

/**
 * How a clip is made. `copy` takes the picture as it is, without loss and at once, from the key frame before the beginning
 * on; `encode` is exact to the frame; `auto` copies where that is exact too.
 */
export type ClipMode = 'auto' | 'copy' | 'encode'

export type CutOptions = Stretch & {
  /** Its ending says which container: .mp4, .m4v, .mov or .mkv. It is written over. */
  readonly file: string
  /** @default 'auto' */
  readonly mode?: ClipMode
  readonly signal?: AbortSignal
}

/** What was made, and which stretch is in it: to the frame. */
export type MadeClip = Stretch & { readonly mode: 'copy' | 'encode' }

type Container = { readonly muxer: string; readonly picture: readonly string[]; readonly sound: readonly string[] }

const mp4: Container = {
  muxer: 'mp4',
  picture: ['h264', 'hevc', 'av1', 'vp9', 'mpeg4'],
  sound: ['aac', 'mp3', 'ac3', 'eac3'],
}

const containers: Readonly<Record<string, Container>> = {
  '.mp4': mp4,
  '.m4v': mp4,
  '.mov': {
    muxer: 'mov',
    picture: ['h264', 'hevc', 'mpeg4', 'prores', 'dnxhd', 'mjpeg'],
    sound: ['aac', 'mp3', 'ac3', 'pcm_s16le', 'pcm_s16be', 'pcm_s24le', 'pcm_s24be'],
  },
  '.mkv': {
    muxer: 'matroska',
    picture: ['h264', 'hevc', 'av1', 'vp8', 'vp9', 'mpeg4', 'mpeg2video', 'prores', 'mjpeg', 'ffv1', 'theora'],
    sound: ['aac', 'mp3', 'ac3', 'eac3', 'dts', 'opus', 'vorbis', 'flac', 'pcm_s16le', 'pcm_s24le'],
  },
}

/** @throws UsageError if the file's ending is that of no container which clips are written in */
export const containerOf = (file: string): Container => {
  const container = containers[extname(file).toLowerCase()]
  if (container) return container
  throw new UsageError(`Expected a clip that ends in ${Object.keys(containers).join(', ')}, got ${file}`, {
    remedy: 'Name it, for example, clip.mp4',
  })
}

/**
 * Cuts a stretch out of a video, with its sound.
 *
 * @throws UsageError if there is nothing of the video in it, or it shall be copied and cannot be
 * @throws UnreadableFileError, NotAVideoError as `probe`
 * @throws DamagedVideoError if that part of the video cannot be decoded
 */
export const cut = async (path: string, options: CutOptions): Promise<MadeClip> => {
  const { file, mode = 'auto', signal } = options
  const container = containerOf(file)
  const stream = await streamInfo(await asOnDisk(path), undefined, { signal })
  const stretch = withinVideo(stream, options)
  const near = await picturePackets(stream, stretch.fromSeconds, signal)
  const copy = mode === 'encode' ? undefined : await copyOf(stream, container, stretch, near, signal)
  if (copy && (copy.isExact || mode === 'copy')) {
    await write(stream, copy.fromSeconds, copyOptions(stream, container, copy), options)
    return { mode: 'copy', fromSeconds: copy.fromSeconds, toSeconds: copy.toSeconds }
  }
  if (mode === 'copy') {
    throw new UsageError(`Expected a video that can be copied into ${file}, got ${stream.codec} in ${path}`, {
      remedy: 'Have it encoded instead, or write an .mkv',
    })
  }
  const { fromSeconds, options: encode } = await encodeOptions(stream, near, { ...stretch, ...encodedAs })
  await write(stream, fromSeconds, encode, options)
  return { mode: 'encode', fromSeconds, toSeconds: stretch.toSeconds }
}

const encodedAs = { quality: 18, preset: 'medium', soundKbps: 192 } as const

const write = async (
  stream: StreamInfo,
  fromSeconds: number,
  made: readonly string[],
  { file, signal }: CutOptions,
): Promise<void> => {
  const { muxer } = containerOf(file)
  const options = [
    ...['-nostats', '-progress', 'pipe:1', ...made, '-metadata:s:v:0', `timecode=${timecodeAt(stream, fromSeconds)}`],
    ...(muxer === 'matroska' ? [] : ['-movflags', '+faststart']),
    ...['-f', muxer, '-y', `file:${file}`],
  ]
  let report = ''
  for await (const piece of transcode(stream, options, signal)) {
    report = (report + piece.toString()).slice(-4096)
  }
  const frames = Number(
    report
      .match(/frame=\s*(\d+)/g)
      ?.at(-1)
      ?.match(/\d+/)?.[0],
  )
  if (!(frames > 0)) throw damaged(stream, 'no frame could be decoded', undefined)
}

/** Where the file has a time code, the clip goes on from it; an empty one is not written. */
const timecodeAt = ({ timecode: first = '', frameRate, startSeconds }: StreamInfo, fromSeconds: number): string => {
  if (first === '' || !(frameRate > 0 && frameRate <= 1000)) return ''
  const rate = frameRateOf(frameRate)
  const firstFrame = framesOfTimecode(first, rate)
  if (firstFrame === undefined) return ''
  return timecode(firstFrame + frameAt(fromSeconds - startSeconds, rate), rate, countsDropped(first, rate))
}

/** A stretch that can be copied. */
type Copy = Stretch & {
  /** It is the one that was asked for, and no frame in it needs one outside. */
  readonly isExact: boolean
  /** How long to copy, by the times at which packets are decoded. */
  readonly lengthSeconds: number
}

/**
 * What can be copied of a stretch. Packets stand in the file as they are decoded, which is not the order in which they are
 * shown: the stretch is exact if none that is shown in it stands after one that is not.
 */
const copyOf = async (
  stream: StreamInfo,
  container: Container,
  { fromSeconds, toSeconds }: Stretch,
  near: readonly Packet[],
  signal: AbortSignal | undefined,
): Promise<Copy | undefined> => {
  const { frameRate, orientation } = stream
  // Matroska keeps no rotation.
  const isKept = container.muxer !== 'matroska' || orientation.every((sign, i) => sign === upright[i])
  const isPlain = stream.isSeekable && stream.statesTimes && !stream.beginsAnywhere && isKept
  if (!isPlain || !container.picture.includes(stream.codec)) return undefined
  const halfFrame = 0.5 / (frameRate || 25)
  const key = near.findLast(({ isKey, seconds }) => isKey && seconds <= fromSeconds + halfFrame)
  if (!key) return undefined
  const after = near.slice(near.indexOf(key) + 1)
  const end = toSeconds - halfFrame / 2
  const atEnd = await picturePackets(stream, end, signal)
  const next = atEnd.findLastIndex(({ seconds }) => seconds < end) + 1
  const following = atEnd[next]
  if (atEnd.length === 0 || (following && !Number.isFinite(following.decodeSeconds))) return undefined
  const taken = atEnd.slice(0, next)
  const isClosed = taken.every(({ seconds }) => seconds < end)
  const lengthSeconds = (following ? following.decodeSeconds - 0.0005 : toSeconds) - key.seconds
  return {
    fromSeconds: key.seconds,
    toSeconds: isClosed
      ? toSeconds
      : Math.round(1e6 * (Math.max(...taken.map(({ seconds }) => seconds)) + 2 * halfFrame)) / 1e6,
    isExact:
      isClosed &&
      key.seconds >= fromSeconds - halfFrame &&
      after.every(({ seconds }) => seconds > key.seconds) &&
      lengthSeconds > 0,
    lengthSeconds: Math.max(lengthSeconds, 0.001),
  }
}

/** Begins a little after the key frame, as its time is rounded, and moves all times back by as much. */
const copyOptions = (stream: StreamInfo, container: Container, copy: Copy): readonly string[] => {
  const littleSeconds = 0.25 / (stream.frameRate || 25)
  const soundIsKept = stream.sound.every(({ codec }) => container.sound.includes(codec))
  return [
    ...['-itsoffset', littleSeconds.toFixed(6), '-ss', (copy.fromSeconds + littleSeconds).toFixed(6)],
    ...inputOptions(stream),
    ...['-c:v', 'copy', '-copypriorss', '0'],
    ...(stream.codec === 'hevc' && container.muxer !== 'matroska' ? ['-tag:v', 'hvc1'] : []),
    ...(soundIsKept ? ['-c:a', 'copy'] : aac(encodedAs.soundKbps)),
    ...['-t', copy.lengthSeconds.toFixed(6)],
  ]
}
