import ffmpeg from 'fluent-ffmpeg'
import { isAtLeast, type ToolVersion } from './ffmpeg.ts'
import { filterGraph } from './graph.ts'
import { inputUrl, safeInputOptions } from './input.ts'
import type { StreamInfo } from './probe.ts'
import type { DecodedFrames, View } from './video.ts'

export type DecodeRequest = {
  readonly stream: StreamInfo
  readonly views: readonly View[]
  /** Expression of ffmpeg's select filter: which frames to hand out; `undefined` for all. */
  readonly select?: string
  /** Begin at a key frame at or before this presentation time in seconds, where the file can. */
  readonly seekSeconds?: number
  /** Which frames to decode at all. @default 'all' */
  readonly decode?: DecodedFrames
  /** Threads that decode. Default: ffmpeg's own choice, about one a core. */
  readonly threads?: number
  /** ffmpeg's name of a way to decode in hardware, `auto` for any that works. */
  readonly hwaccel?: string
  readonly signal?: AbortSignal
}

/** The command line that decodes as asked, raw pictures to standard output. */
export const decodeArguments = (request: DecodeRequest, tool: ToolVersion): readonly string[] => {
  const command = ffmpeg(inputUrl(request.stream.path))
    .inputOptions(...inputOptions(request))
    .outputOptions(...outputOptions(request, tool))
    .output('pipe:1')
  return (command as unknown as Internals)._getArguments()
}

/** What fluent-ffmpeg 2.1.3, its last version, has no public way to: left to itself it also starts what it has built. */
type Internals = { _getArguments(): readonly string[] }

const inputOptions = (request: DecodeRequest): readonly [string, ...string[]] => {
  const { seekSeconds, hwaccel } = request
  // What the decoder is given is told at this level only; without hardware there is no need to know.
  const level = hwaccel === undefined ? 'info' : 'verbose'
  return [
    ...(['-nostdin', '-hide_banner', '-nostats', '-loglevel', `repeat+level+${level}`] as const),
    // The file's own times; the size may change midway without a new graph; our graph turns the picture.
    ...['-copyts', '-reinit_filter', '0', '-noautorotate'],
    ...(seekSeconds === undefined ? [] : ['-seek_timestamp', '1', '-noaccurate_seek', '-ss', seekSeconds.toFixed(6)]),
    ...decoderOptions(request),
    ...(hwaccel === undefined ? [] : ['-hwaccel', hwaccel]),
    ...safeInputOptions,
  ]
}

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

const outputOptions = ({ stream, views, select }: DecodeRequest, tool: ToolVersion): readonly [string, ...string[]] => [
  ...(['-map', `0:${stream.index}`] as const),
  ...['-vf', filterGraph(views, stream, select, tool)],
  // Each frame once, whatever its time. The name changed in 5.1, the old one is gone from 9.0.
  ...[isAtLeast(tool, 59, 37) ? '-fps_mode' : '-vsync', 'passthrough'],
  ...['-f', 'rawvideo'],
]
