import { UsageError } from '../errors.ts'
import { colorOptions, toneMapping } from './color.ts'
import { FfmpegError, findTool, isAtLeast, type ToolVersion } from './ffmpeg.ts'
import { type Packet, packets } from './ffprobe.ts'
import type { StreamInfo } from './probe.ts'
import { defaultSilenceSeconds, inputUrl, run, safeInputOptions, watchSilence } from './run.ts'
import { formatTimestamp } from './timestamp.ts'
import { damaged } from './video.ts'

/** A stretch of a video in seconds from the start of the file. The end is not part of it. */
export type Stretch = { readonly fromSeconds: number; readonly toSeconds: number }

/** Times are given in milliseconds: half of one is forgiven. */
const roundingSeconds = 0.0005

/** A frame that is shown for longer than so many at the average rate is a still, and may be cut anywhere. */
const stillFrames = 1.5

/** How much earlier to begin reading in a broadcast stream: a search for a time there lands anywhere. */
const earlierSeconds = 10

/**
 * The stretch as far as the video reaches.
 *
 * @throws UsageError if there is nothing of the video in it
 */
export const withinVideo = ({ startSeconds, endSeconds }: StreamInfo, stretch: Stretch): Stretch => {
  const { fromSeconds, toSeconds } = stretch
  if (!(Number.isFinite(fromSeconds) && fromSeconds >= 0)) {
    throw new UsageError(`Expected a clip to begin at 0 seconds or later, got ${fromSeconds}`, {
      remedy: 'Give the time from the start of the file',
    })
  }
  if (!(toSeconds > fromSeconds)) {
    throw new UsageError(
      `Expected a clip to end after ${formatTimestamp(fromSeconds)}, where it begins, got ${toSeconds}`,
      { remedy: 'Give the earlier time first' },
    )
  }
  if (endSeconds !== undefined && fromSeconds >= endSeconds) {
    throw new UsageError(
      `Expected a clip to begin before the video ends at ${formatTimestamp(endSeconds)}, got ${formatTimestamp(fromSeconds)}`,
      { remedy: 'Give an earlier time' },
    )
  }
  if (toSeconds <= startSeconds) {
    throw new UsageError(
      `Expected a clip to end after the picture begins at ${formatTimestamp(startSeconds)}, got ${formatTimestamp(toSeconds)}`,
      { remedy: 'Give a later time' },
    )
  }
  return {
    fromSeconds: Math.max(fromSeconds, startSeconds),
    toSeconds: Math.min(toSeconds, endSeconds ?? toSeconds),
  }
}

/**
 * How far to read beyond a time, in seconds. Packets stand in the order in which they are decoded, and reading ends at the
 * first one that is shown later: the longer one is for slides, which are shown for long.
 */
const aheadSeconds = [1, 60]

/** Packets of the picture in the order that they are decoded: from the key frame before a time to those after it. */
export const picturePackets = async (
  stream: StreamInfo,
  seconds: number,
  signal: AbortSignal | undefined,
): Promise<readonly Packet[]> => {
  if (!stream.isSeekable) return []
  const fromSeconds = seconds - (stream.beginsAnywhere ? earlierSeconds : 0)
  let found: readonly Packet[] = []
  for (const ahead of aheadSeconds) {
    const all = await packets(stream, { fromSeconds, toSeconds: seconds + ahead }, signal)
    found = all.filter(({ streamIndex, isDiscarded }) => streamIndex === stream.index && !isDiscarded)
    if (found.some((packet) => packet.seconds > seconds)) break
  }
  return found
}

/** What to make of a stretch: H.264 with AAC, as it is displayed, in the colours of a screen without HDR. */
export type Encoding = Stretch & {
  /** @default as displayed; an even number */
  readonly widthPixels?: number
  /** x264's: 18 looks like the original, 28 is small. */
  readonly quality: number
  readonly preset: 'veryfast' | 'medium'
  readonly soundKbps: number
}

/**
 * Options for ffmpeg up to the name of the output. The clip begins with the frame that is shown at the first time: at its
 * own time, or where that is long ago (a slide in a recording of a screen), at the time that was asked for.
 *
 * @param near packets around the beginning
 * @returns the options and where the clip begins
 * @throws FfmpegError if this ffmpeg can write no H.264
 */
export const encodeOptions = async (
  stream: StreamInfo,
  near: readonly Packet[],
  encoding: Encoding,
): Promise<{ readonly options: readonly string[]; readonly fromSeconds: number }> => {
  const tool = await findTool('ffmpeg')
  const encoder = await h264Encoder(tool)
  const { fromSeconds: asked, toSeconds, quality, preset, soundKbps } = encoding
  const shown = Math.max(...near.map(({ seconds }) => seconds).filter((seconds) => seconds <= asked + roundingSeconds))
  const frameSeconds = Number.isFinite(shown) ? shown : asked
  const fromSeconds = asked - frameSeconds < stillFrames / (stream.frameRate || 25) ? frameSeconds : asked
  const first = frameSeconds - roundingSeconds
  const seekSeconds = stream.isSeekable ? Math.max(0, first - (stream.beginsAnywhere ? earlierSeconds : 0)) : 0
  const leadSeconds = (fromSeconds - seekSeconds).toFixed(6)
  const trim = `trim=start=${Math.max(0, first - seekSeconds).toFixed(6)}`
  const width = evenPixels(encoding.widthPixels ?? stream.width)
  const height = evenPixels((stream.height * width) / stream.width)
  const filters = [trim, `setpts='max(PTS-${leadSeconds}/TB,0)'`, ...displayFilters(stream, width, height)]
  return {
    fromSeconds,
    options: [
      ...(seekSeconds > 0 ? ['-ss', seekSeconds.toFixed(6)] : []),
      ...inputOptions(stream),
      ...['-vf', filters.join(',')],
      ...(encoder === 'libx264'
        ? ['-c:v', encoder, '-preset', preset, '-crf', `${quality}`]
        : ['-c:v', encoder, '-b:v', `${bitRate(width, height, stream.frameRate, quality)}`]),
      ...['-pix_fmt', 'yuv420p', '-color_range', 'tv'],
      ...['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'],
      ...rateOptions(stream, tool),
      ...soundOptions(leadSeconds, soundKbps),
      ...['-t', Math.max(toSeconds - fromSeconds - roundingSeconds, 0.001).toFixed(6)],
    ],
  }
}

/** A steady rate stays exactly that, as editing programs want it; frames that come as they please keep their times. */
const rateOptions = ({ isSteady }: StreamInfo, tool: ToolVersion): readonly string[] => {
  const option = isAtLeast(tool, 59, 37) ? '-fps_mode' : '-vsync'
  return isSteady ? [option, 'cfr'] : [option, 'vfr', '-enc_time_base:v', '1:90000']
}

/** Sound, where it has to be encoded: stereo AAC, which everything plays. */
const soundOptions = (leadSeconds: string, kbps: number): readonly string[] => [
  ...['-af', `atrim=start=${leadSeconds},asetpts=PTS-${leadSeconds}/TB`],
  ...aac(kbps),
]

export const aac = (kbps: number): readonly string[] => ['-c:a', 'aac', '-ac', '2', '-b:a', `${kbps}k`]

/** What is read of a file: its picture and its sound. */
export const inputOptions = ({ path, lookOptions, index, sound }: StreamInfo): readonly string[] => [
  ...[...safeInputOptions(path), ...lookOptions, '-i', inputUrl(path)],
  ...['-map', `0:${index}`, ...sound.flatMap((track) => ['-map', `0:${track.index}`])],
  ...['-map_chapters', '-1'],
]

/** ffmpeg turns the picture for display before them. */
const displayFilters = (stream: StreamInfo, width: number, height: number): readonly string[] => {
  const toVideo = 'out_color_matrix=bt709:out_range=limited'
  const scale = `scale=${width}:${height}:flags=bicubic+accurate_rnd+full_chroma_int${colorOptions(stream)}`
  const mapping = toneMapping(stream)
  return [
    ...(mapping.length > 0 ? [scale, ...mapping, `scale=${toVideo}`] : [`${scale}:${toVideo}`]),
    'format=yuv420p',
    'setsar=1',
  ]
}

/** H.264 with 4:2:0 needs even sizes. */
const evenPixels = (pixels: number): number => Math.max(2, 2 * Math.round(pixels / 2))

/** For encoders that have no setting for quality: bits a second, about what x264 takes at 18 and at 28. */
const bitRate = (width: number, height: number, frameRate: number, quality: number): number =>
  Math.round(width * height * (frameRate || 25) * 0.2 * 2 ** ((18 - quality) / 6) + 100_000)

/** In the order in which they are taken: those at the end need hardware. */
const encoders = ['libx264', 'libopenh264', 'h264_videotoolbox', 'h264_mf', 'h264_nvenc', 'h264_qsv'] as const

const chosen = new Map<string, Promise<string>>()

const h264Encoder = (tool: ToolVersion): Promise<string> => {
  const known = chosen.get(tool.path)
  if (known) return known
  const asking = askEncoder(tool)
  chosen.set(tool.path, asking)
  asking.catch(() => chosen.delete(tool.path))
  return asking
}

const askEncoder = async (tool: ToolVersion): Promise<string> => {
  const pieces: Buffer[] = []
  for await (const piece of run(tool, ['-hide_banner', '-encoders'], { log: { read() {}, close() {} } }).output) {
    pieces.push(piece)
  }
  const names = new Set(Buffer.concat(pieces).toString().match(/\S+/g))
  const encoder = encoders.find((each) => names.has(each))
  if (encoder) return encoder
  throw new FfmpegError(`Expected an ffmpeg that can write H.264, got ${tool.path} without an encoder for it`, {
    remedy: 'Install an ffmpeg with libx264, or set VIDGREP_FFMPEG=carried',
  })
}

/**
 * Runs ffmpeg on a video and hands out what it writes to standard output.
 *
 * @throws DamagedVideoError if it fails; a fault of the disk that it writes to as an error of the system
 */
export async function* transcode(
  stream: StreamInfo,
  options: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void> {
  const tool = await findTool('ffmpeg')
  const silent = () => damaged(stream, `ffmpeg said nothing for ${defaultSilenceSeconds} s and was ended`, undefined)
  const watch = watchSilence(defaultSilenceSeconds, silent, signal)
  let complaint = ''
  const read = (line: string): void => {
    watch.hear()
    // ffmpeg ends with what happened last; the fault of the disk comes before.
    if (line.trim() !== '' && diskFault(complaint) === undefined) complaint = line
  }
  const args = ['-nostdin', '-hide_banner', '-loglevel', 'error', ...options]
  const ffmpeg = run(tool, args, { log: { read, close() {} }, signal: watch.signal })
  try {
    watch.begin()
    for await (const piece of ffmpeg.output) {
      watch.pause()
      yield piece
      watch.begin()
    }
  } finally {
    watch.pause()
  }
  const { exitCode, signalName } = ffmpeg.ended()
  const code = diskFault(complaint)
  if (code) throw Object.assign(new Error(complaint), { code })
  if (exitCode !== 0) throw damaged(stream, `ffmpeg failed: ${complaint || signalName || exitCode}`, undefined)
}

/** The system's words at the end of a complaint about the output, and its name for the fault. */
const diskFault = (complaint: string): string | undefined =>
  diskFaults.find(([words]) => complaint.endsWith(words))?.[1]

const diskFaults = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Read-only file system', 'EROFS'],
  ['File too large', 'EFBIG'],
] as const
