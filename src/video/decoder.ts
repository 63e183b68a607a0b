import type { ClockStep } from './clock.ts'
import { findTool, isAtLeast, type ToolVersion } from './ffmpeg.ts'
import { filterGraph, packingOf } from './filterGraph.ts'
import {
  type Complaint,
  type FrameNote,
  type HardwareNote,
  type Log,
  type LoggedErrors,
  type LogLine,
  readLog,
  secondsOf,
} from './log.ts'
import type { StreamInfo } from './probe.ts'
import { defaultSilenceSeconds, type Ended, inputUrl, run, safeInputOptions, type Watch, watchSilence } from './run.ts'
import { type DecodedFrames, damaged, type View } from './video.ts'

export type DecodeRequest = {
  readonly stream: StreamInfo
  readonly views: readonly View[]
  /** Expression of ffmpeg's select filter: which frames to hand out; `undefined` for all. */
  readonly select?: string
  /** Begin at a key frame at or before this time in seconds, where the file can. */
  readonly seekSeconds?: number
  /** Which frames to decode at all. @default 'all' */
  readonly decode?: DecodedFrames
  /** Threads that decode. Default: ffmpeg's own choice, about one a core. */
  readonly threads?: number
  /** ffmpeg's name of a way to decode in hardware, `auto` for any that works. */
  readonly hwaccel?: string
  readonly signal?: AbortSignal
  /** Seconds without a frame or a line after which ffmpeg is taken to hang. @default 60 */
  readonly silenceSeconds?: number
}

/** One raw picture that holds all views. */
export type RawFrame = FrameNote & {
  readonly packed: Uint8Array
  /** Hands the picture's memory back for a later one. */
  done(): void
}

export type Outcome = Ended & {
  readonly earlyErrors: LoggedErrors
  readonly errors: LoggedErrors
  readonly hardware: HardwareNote
  readonly steps: readonly ClockStep[]
}

/** An ffmpeg that starts when the first frame is asked for. */
export type Decoder = {
  /** Pulled one by one: ffmpeg waits while nobody asks, and is gone when the loop is left. */
  readonly frames: AsyncGenerator<RawFrame, void>
  /** How it went; to be asked after the last frame. */
  readonly outcome: () => Outcome
}

/** The frames throw an FfmpegError if ffmpeg cannot be started. */
export const openDecoder = (request: DecodeRequest): Decoder => {
  const { stream, signal, silenceSeconds = defaultSilenceSeconds } = request
  const log = readLog((line) => complaintOf(request, line))
  let ended: Ended | undefined
  async function* frames(): AsyncGenerator<RawFrame, void> {
    const tool = await findTool('ffmpeg')
    let reachedSeconds: number | undefined
    const reason = () => damaged(stream, `ffmpeg said nothing for ${silenceSeconds} s and was ended`, reachedSeconds)
    const watch = watchSilence(silenceSeconds, reason, signal)
    const read = (line: string): void => {
      watch.hear()
      log.read(line)
    }
    const ffmpeg = run(tool, decodeArguments(request, tool), { log: { read, close: log.close }, signal: watch.signal })
    try {
      for await (const frame of rawFrames(ffmpeg.output, log, watch, request)) {
        yield frame
        if (frame.time) reachedSeconds = secondsOf(frame.time, request.stream)
      }
    } finally {
      watch.pause()
    }
    ended = ffmpeg.ended()
  }
  return {
    frames: frames(),
    outcome: () => {
      const { earlyErrors, errors, hardware, steps } = log
      return { ...ended!, earlyErrors, errors, hardware, steps }
    },
  }
}

/** Cuts what ffmpeg writes into pictures, each with what the log says of it. */
async function* rawFrames(
  output: AsyncIterable<Buffer>,
  log: Log,
  watch: Watch,
  { stream, views }: DecodeRequest,
): AsyncGenerator<RawFrame, void> {
  const { bytes } = packingOf(views)
  const memory = createMemory(bytes)
  let packed = memory.take()
  let filled = 0
  let n = 0
  watch.begin()
  for await (const chunk of output) {
    watch.hear()
    for (let offset = 0; offset < chunk.length; ) {
      const piece = chunk.subarray(offset, offset + bytes - filled)
      packed.set(piece, filled)
      filled += piece.length
      offset += piece.length
      if (filled < bytes) continue
      const full = packed
      const note = await log.noteOf(n)
      watch.signal.throwIfAborted()
      if (!note) throw damaged(stream, `ffmpeg wrote picture ${n} without a line about its time`, undefined)
      watch.pause()
      yield { ...note, packed: full, done: () => memory.giveBack(full) }
      watch.begin()
      n += 1
      packed = memory.take()
      filled = 0
    }
  }
}

/** Fresh memory has to be cleared by the system page by page; what comes back is used again, as many as were in use. */
const createMemory = (bytes: number) => {
  const free: Uint8Array[] = []
  return {
    take: (): Uint8Array => free.pop() ?? new Uint8Array(bytes),
    giveBack: (packed: Uint8Array): void => void free.push(packed),
  }
}

const decodeArguments = (request: DecodeRequest, tool: ToolVersion): readonly string[] => [
  ...inputOptions(request),
  ...['-i', inputUrl(request.stream.path)],
  ...outputOptions(request, tool),
  'pipe:1',
]

const inputOptions = (request: DecodeRequest): readonly string[] => {
  const { stream, seekSeconds, hwaccel } = request
  // Only at this level does ffmpeg say what decodes; without hardware there is no need to know.
  const level = hwaccel === undefined ? 'info' : 'verbose'
  return [
    ...['-nostdin', '-hide_banner', '-nostats', '-loglevel', `repeat+level+${level}`],
    // The file's own times; the size may change midway without a new graph; our graph turns the picture.
    ...['-copyts', '-reinit_filter', '0', '-noautorotate'],
    ...(seekSeconds === undefined ? [] : seekOptions(seekSeconds + stream.clockStartSeconds)),
    ...decoderOptions(request),
    ...(hwaccel === undefined ? [] : ['-hwaccel', hwaccel]),
    ...safeInputOptions(stream.path),
    ...stream.lookOptions,
  ]
}

/** Whether no frame is missing between two that come out. */
const isWhole = ({ seekSeconds, decode }: Pick<DecodeRequest, 'seekSeconds' | 'decode'>): boolean =>
  seekSeconds === undefined && decode !== 'keys'

const seekOptions = (clockSeconds: number): readonly string[] => [
  ...['-seek_timestamp', '1', '-noaccurate_seek', '-ss', clockSeconds.toFixed(6)],
]

/**
 * Key frames are best read alone. Where that would spoil their times, all frames are read and the decoder passes over the
 * others. It deals frames out to its threads in turn, those too: two key frames never meet, and further threads only cost.
 */
const decoderOptions = ({ stream, decode = 'all', threads }: DecodeRequest): readonly string[] => {
  const isReadWhole = decode === 'keys' && !stream.keepsTimesUnread
  const count = isReadWhole ? 1 : threads
  return [
    ...(count === undefined ? [] : ['-threads', `${count}`]),
    ...(decode === 'references' ? ['-skip_frame', 'noref'] : []),
    ...(decode === 'keys' ? ['-skip_frame', 'nokey'] : []),
    ...(decode === 'keys' && !isReadWhole ? ['-discard', 'nokey'] : []),
  ]
}

/** Prints a line every so many frames, taken or not: from one frame that is taken to the next may be a long way. */
const signOfLife = 'if(not(mod(n,32)),0*print(n,24))'

const outputOptions = ({ stream, views, select, ...request }: DecodeRequest, tool: ToolVersion): readonly string[] => [
  ...['-map', `0:${stream.index}`],
  ...['-vf', filterGraph(views, stream, select && `${select}+${signOfLife}`, isWhole(request), tool)],
  // Each frame once, whatever its time. The name changed in 5.1, the old one is gone from 9.0.
  ...[isAtLeast(tool, 59, 37) ? '-fps_mode' : '-vsync', 'passthrough'],
  ...['-f', 'rawvideo'],
]

/**
 * Damage is every error but those of other streams' decoders, and what is only a warning although a piece of the file is
 * missing. In a broadcast recording that is so at both ends. What a driver says of its hardware is no damage either.
 */
const complaintOf = ({ stream, hwaccel }: DecodeRequest, { context, level, text }: LogLine): Complaint => {
  if (level === 'warning') {
    const isMissing = !stream.beginsAnywhere && text.endsWith(`corrupt input packet in stream ${stream.index}`)
    return isMissing ? 'damage' : undefined
  }
  if (!['error', 'fatal', 'panic'].includes(level)) return undefined
  if (hwaccel !== undefined && (hardwareContext.test(context) || hardwareWords.test(text))) return 'hardware'
  // How the reader of GXF says that the file ends; reading from a file that is open is always permitted.
  if (text.endsWith(': Operation not permitted')) return undefined
  const isOther = stream.otherCodecs.some((codec) => codec !== stream.codec && context.startsWith(codec))
  return isOther ? undefined : 'damage'
}

const hardwareContext = /^(AVHW|CUDA|VAAPI|VDPAU|QSV|MFX|D3D|DXVA|VideoToolbox|Vulkan|OpenCL|DRM)/i
const hardwareWords = /device|hwaccel|hw ?frames|Failed setup for format/i
