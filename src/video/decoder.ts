import type { ChildProcess } from 'node:child_process'
import { PassThrough } from 'node:stream'
import ffmpeg from 'fluent-ffmpeg'
import { FfmpegError, findTool, isAtLeast, type ToolVersion, toolEnvironment } from './ffmpeg.ts'
import { filterGraph, packingOf } from './graph.ts'
import { inputUrl, safeInputOptions } from './input.ts'
import { type FrameNote, type Log, type LoggedErrors, type LogLine, readLog } from './log.ts'
import type { StreamInfo } from './probe.ts'
import type { View } from './video.ts'

export type DecodeRequest = {
  readonly stream: StreamInfo
  readonly views: readonly View[]
  /** Expression of ffmpeg's select filter: which frames to hand out; `undefined` for all. */
  readonly select?: string | undefined
  /** Begin at a key frame at or before this presentation time in seconds, where the file can. */
  readonly seekSeconds?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** One raw picture that holds all views. */
export type RawFrame = FrameNote & { readonly packed: Uint8Array }

export type Outcome = {
  readonly earlyErrors: LoggedErrors
  readonly errors: LoggedErrors
  readonly exitCode: number | null
  /** The signal that ended ffmpeg, if one did. */
  readonly signalName: NodeJS.Signals | null
}

/** A running ffmpeg. Whoever opens it stops it. */
export type Decoder = {
  /** Pulled one by one: ffmpeg waits while nobody asks. Each picture has memory of its own. */
  frames(): AsyncGenerator<RawFrame>
  /** How it went, once the frames are through. */
  outcome(): Promise<Outcome>
  /** Ends ffmpeg at once and waits until it is gone. */
  stop(): Promise<void>
}

/** Bytes that may lie between ffmpeg and us: a look-ahead of less than one picture. */
const lookAheadBytes = 256 * 1024

/** @throws FfmpegError if ffmpeg cannot be started */
export const openDecoder = async (request: DecodeRequest): Promise<Decoder> => {
  const { signal, stream, views } = request
  const tool = await findTool('ffmpeg')
  signal?.throwIfAborted()
  const log = readLog((line) => isDamage(stream, line))
  // Without 'close' events, because fluent-ffmpeg takes one for a reason to kill an ffmpeg that is about to end well.
  const output = new PassThrough({ highWaterMark: lookAheadBytes, autoDestroy: false, emitClose: false })
  output.on('error', () => {})
  const child = await spawnFfmpeg(request, tool, log, output)
  const ended = endOf(child, log, output)

  const kill = (): void => {
    child.kill('SIGKILL')
    child.stdout?.destroy()
    output.destroy(signal?.aborted ? signal.reason : undefined)
  }
  signal?.addEventListener('abort', kill, { once: true })
  if (signal?.aborted) kill()

  return {
    frames: () => readFrames(output, log, packingOf(views).bytes, signal),
    outcome: async () => {
      const { code, signalName, error } = await ended
      if (error) throw new FfmpegError(`Expected ${tool.path} to start, got: ${error.message}`, { cause: error })
      return { earlyErrors: log.earlyErrors, errors: log.errors, exitCode: code, signalName }
    },
    stop: async () => {
      signal?.removeEventListener('abort', kill)
      kill()
      await ended
    },
  }
}

/**
 * All errors but those of other streams' decoders, and what is only a warning although a piece of the file is missing.
 * In a broadcast recording that is so at both ends.
 */
const isDamage = (stream: StreamInfo, { context, level, text }: LogLine): boolean => {
  if (level === 'warning')
    return !stream.beginsAnywhere && text.endsWith(`corrupt input packet in stream ${stream.index}`)
  const isOther = stream.otherCodecs.some((codec) => codec !== stream.codec && context.startsWith(codec))
  return ['error', 'fatal', 'panic'].includes(level) && !isOther
}

/** fluent-ffmpeg builds the command, looks whether ffmpeg knows the format, and starts it. */
const spawnFfmpeg = (request: DecodeRequest, tool: ToolVersion, log: Log, output: PassThrough): Promise<ChildProcess> =>
  new Promise((resolve, reject) => {
    const command = ffmpeg(inputUrl(request.stream.path), { stdoutLines: 10 })
    inEnvironment(command as unknown as Internals, toolEnvironment(tool))
    command
      .setFfmpegPath(tool.path)
      .inputOptions(...inputOptions(request))
      .outputOptions(...outputOptions(request, tool))
      .output(output)
      .on('stderr', log.read)
      .on('error', (cause: Error) =>
        reject(new FfmpegError(`Expected ${tool.path} to start, got: ${cause.message}`, { cause })),
      )
      .on('start', () => {
        const child = (command as unknown as Internals).ffmpegProc
        // Its own listener fails on a process that could not be started; ours takes over before that is known.
        child.removeAllListeners('error')
        child.stdin?.on('error', () => {}).end()
        resolve(child)
      })
      .run()
  })

/** What fluent-ffmpeg 2.1.3, its last version, has no public way to. */
type Internals = {
  ffmpegProc: ChildProcess
  _spawnFfmpeg(args: readonly string[], options: object, ...callbacks: readonly unknown[]): void
}

const inEnvironment = (command: Internals, env: NodeJS.ProcessEnv): void => {
  const spawn = command._spawnFfmpeg.bind(command)
  command._spawnFfmpeg = (args, options, ...callbacks) => spawn(args, { ...options, env }, ...callbacks)
}

const inputOptions = ({ seekSeconds }: DecodeRequest): readonly [string, ...string[]] => [
  ...(['-nostdin', '-hide_banner', '-nostats', '-loglevel', 'repeat+level+info'] as const),
  // The file's own times; the size may change midway without a new graph; our graph turns the picture.
  ...['-copyts', '-reinit_filter', '0', '-noautorotate'],
  ...(seekSeconds === undefined ? [] : ['-seek_timestamp', '1', '-noaccurate_seek', '-ss', seekSeconds.toFixed(6)]),
  ...safeInputOptions,
]

const outputOptions = ({ stream, views, select }: DecodeRequest, tool: ToolVersion): readonly [string, ...string[]] => [
  ...(['-map', `0:${stream.index}`] as const),
  ...['-vf', filterGraph(views, stream, select, tool)],
  // Each frame once, whatever its time. The name changed in 5.1, the old one is gone from 9.0.
  ...[isAtLeast(tool, 59, 37) ? '-fps_mode' : '-vsync', 'passthrough'],
  ...['-f', 'rawvideo'],
]

type End = { readonly code: number | null; readonly signalName: NodeJS.Signals | null; readonly error?: Error }

const endOf = (child: ChildProcess, log: Log, output: PassThrough): Promise<End> =>
  new Promise((resolve) => {
    const end = (result: End): void => {
      log.close()
      resolve(result)
    }
    child.once('error', (error) => {
      output.destroy(error)
      end({ code: null, signalName: null, error })
    })
    child.once('close', (code, signalName) => end({ code, signalName }))
  })

async function* readFrames(
  output: PassThrough,
  log: Log,
  bytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<RawFrame> {
  let packed = new Uint8Array(bytes)
  let filled = 0
  let n = 0
  try {
    for await (const chunk of output as AsyncIterable<Buffer>) {
      for (let offset = 0; offset < chunk.length; ) {
        const piece = chunk.subarray(offset, offset + bytes - filled)
        packed.set(piece, filled)
        filled += piece.length
        offset += piece.length
        if (filled < bytes) continue
        yield { ...(await log.noteOf(n++)), packed }
        packed = new Uint8Array(bytes)
        filled = 0
      }
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
  signal?.throwIfAborted()
}
