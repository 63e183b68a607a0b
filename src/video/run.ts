import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { extname, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { FfmpegError, type ToolVersion, toolEnvironment } from './ffmpeg.ts'

export type RunOptions = {
  /** What reads the lines of standard error, and hears of their end. */
  readonly log: { read(line: string): void; close(): void }
  /** Ends the program at once; its reason is thrown. */
  readonly signal?: AbortSignal
}

/** A program that starts when its output is first asked for, and is gone when that has ended or is left. */
export type Run = {
  /** Standard output, piece by piece. The program waits while nobody asks. */
  readonly output: AsyncGenerator<Buffer, void>
  /** How it ended; to be asked after the last piece. */
  readonly ended: () => Ended
}

export type Ended = {
  readonly exitCode: number | null
  /** The signal that ended it, if one did. */
  readonly signalName: NodeJS.Signals | null
}

/** Runs ffmpeg or ffprobe. The output throws an {@link FfmpegError} if the program cannot be started. */
export const run = (tool: ToolVersion, args: readonly string[], options: RunOptions): Run => {
  let ended: Ended | undefined
  async function* output(): AsyncGenerator<Buffer, void> {
    ended = yield* outputOf(tool, args, options)
  }
  return { output: output(), ended: () => ended! }
}

async function* outputOf(
  tool: ToolVersion,
  args: readonly string[],
  { log, signal }: RunOptions,
): AsyncGenerator<Buffer, Ended> {
  signal?.throwIfAborted()
  const child = await start(tool, args)
  const closed = new Promise<Ended>((resolve) => {
    child.on('close', (exitCode, signalName) => resolve({ exitCode, signalName }))
  })
  const lines = createInterface({ input: child.stderr, crlfDelay: Number.POSITIVE_INFINITY })
    .on('line', log.read)
    .on('close', log.close)
  const linesRead = once(lines, 'close')
  const kill = (): void => {
    child.kill('SIGKILL')
    // If it is a script that started the tool, the tool is left behind: it ends when it cannot write any more.
    lines.close()
    child.stderr.destroy()
    child.stdout.destroy()
  }
  signal?.addEventListener('abort', kill, { once: true })
  try {
    signal?.throwIfAborted()
    yield* child.stdout as AsyncIterable<Buffer>
    await linesRead
    const ended = await closed
    signal?.throwIfAborted()
    return ended
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', kill)
    kill()
    await closed
  }
}

const start = async (
  tool: ToolVersion,
  args: readonly string[],
): Promise<ChildProcessByStdio<null, Readable, Readable>> => {
  try {
    const child = spawn(tool.path, args, {
      env: toolEnvironment(tool.path),
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
    await once(child, 'spawn')
    // Later errors say only that it could not be ended, because it has ended.
    return child.on('error', () => {})
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new FfmpegError(`Expected ${tool.path} to start, got: ${reason}`, { cause })
  }
}

/** Seconds without a frame or a line after which a program is taken to hang. */
export const defaultSilenceSeconds = 60

/** How much later than it should a timer may come. If it comes later still, this process was stopped meanwhile. */
const lateSeconds = 5

/** Notices that a program has not been heard of for too long while something is expected of it. */
export type Watch = {
  /** Aborts then, and when the caller's own signal does. */
  readonly signal: AbortSignal
  /** Something is expected from now on. */
  begin(): void
  /** Something was heard. */
  hear(): void
  /** Nothing is expected for now. */
  pause(): void
}

/** @param reason what the signal aborts with */
export const watchSilence = (seconds: number, reason: () => Error, signal: AbortSignal | undefined): Watch => {
  const silence = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let heardMs = 0
  const pause = (): void => {
    clearTimeout(timer)
    timer = undefined
  }
  const begin = (): void => {
    pause()
    heardMs = performance.now()
    timer = setTimeout(() => {
      if (performance.now() - heardMs > (seconds + lateSeconds) * 1000) begin()
      else silence.abort(reason())
    }, seconds * 1000)
  }
  const hear = (): void => {
    heardMs = performance.now()
    timer?.refresh()
  }
  return { signal: AbortSignal.any([silence.signal, ...(signal ? [signal] : [])]), begin, hear, pause }
}

/**
 * Containers that hold their video themselves. Left out on purpose: playlists and scripts that name other files or
 * addresses (concat, hls, dash, sdp, imf, redirectors), pictures and numbered picture series, and Magic Lantern's MLV,
 * which opens its neighbours. ffmpeg compares each name with its own list of a demuxer's names.
 */
const containers = [
  ...['mov', 'mp4', 'matroska', 'webm', 'avi', 'mpegts', 'mpeg', 'mpegvideo', 'flv', 'live_flv', 'asf', 'asf_o', 'ogg'],
  ...['h264', 'hevc', 'vvc', 'evc', 'av1', 'obu', 'ivf', 'm4v', 'mjpeg', 'h261', 'h263', 'vc1', 'vc1test', 'cavsvideo'],
  ...[
    'avs2',
    'avs3',
    'dirac',
    'dnxhd',
    'mxf',
    'mxf_opatom',
    'gxf',
    'dv',
    'wtv',
    'nut',
    'nsv',
    'nuv',
    'rm',
    'ty',
    'pva',
  ],
  ...['gif', 'apng', 'yuv4mpegpipe', 'roq', 'bink', 'smk', 'flic', 'swf', 'dhav', 'ipmovie', 'mpjpeg', 'kux', 'vivo'],
].join(',')

/** Endings of streams that nothing but their names tells from a single picture, and how ffmpeg calls them. */
const formats: Readonly<Record<string, string>> = { '.mjpeg': 'mjpeg', '.mjpg': 'mjpeg' }

/** Options that stand before `-i`, for ffmpeg and ffprobe alike: whatever is in the file, nothing else is opened. */
export const safeInputOptions = (path: string): readonly string[] => {
  const format = formats[extname(path).toLowerCase()]
  return ['-protocol_whitelist', 'file', '-format_whitelist', containers, ...(format ? ['-f', format] : [])]
}

/** How ffmpeg is given a path so that nothing in its name means anything: `%03d`, `http:x`, `-y`, a newline. */
export const inputUrl = (path: string): string => `file:${resolve(path)}`
