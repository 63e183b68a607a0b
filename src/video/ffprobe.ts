import type { Readable } from 'node:stream'
import { crashSignals, FfmpegError, findTool, type ToolVersion, toolEnvironment } from './ffmpeg.ts'
import { inputUrl, safeInputOptions } from './input.ts'
import { type Ended, startProgram } from './program.ts'
import { NotAVideoError } from './video.ts'

/** Most that ffprobe may answer, in bytes; a long file's packets of some minutes stay far below. */
const mostBytes = 256 * 1024 * 1024

/**
 * Runs ffprobe and reads its JSON. Its own program and not fluent-ffmpeg's reader, which takes a line end within a tag
 * for the end of the tag.
 *
 * @param options what to show, such as `-show_streams`
 * @throws NotAVideoError if the file is of no known kind
 */
export const ffprobe = async <T>(
  path: string,
  options: readonly string[],
  { signal }: { signal?: AbortSignal },
): Promise<T> => {
  const tool = await findTool('ffprobe')
  const command = ['-v', 'error', ...safeInputOptions, ...options, '-of', 'json', inputUrl(path)]
  signal?.throwIfAborted()
  const { stdout, stderr, code, signalName } = await answerOf(tool, command, signal)
  signal?.throwIfAborted()
  if (signalName && crashSignals.includes(signalName)) {
    throw notAVideo(path, `a file that makes ffprobe crash (${signalName})`)
  }
  if (code === null) throw unanswered(`it was ended by ${signalName}`)
  if (code !== 0) throw notAVideo(path, reason(stderr))
  try {
    return JSON.parse(stdout) as T
  } catch (cause) {
    throw unanswered('something else than JSON', cause)
  }
}

type Answer = Ended & { readonly stdout: string; readonly stderr: string }

/** Runs it to its end, or to the signal's. @throws FfmpegError if it cannot be started or says too much */
const answerOf = async (tool: ToolVersion, command: readonly string[], signal?: AbortSignal): Promise<Answer> => {
  try {
    const { kill, ...program } = await startProgram(tool.path, command, toolEnvironment(tool))
    signal?.addEventListener('abort', kill, { once: true })
    if (signal?.aborted) kill()
    try {
      const written = [textOf(program.stdout), textOf(program.stderr)] as const
      const [stdout, stderr, ended] = await Promise.all([...written, program.ended])
      return { stdout, stderr, ...ended }
    } finally {
      signal?.removeEventListener('abort', kill)
      kill()
    }
  } catch (cause) {
    throw unanswered(cause instanceof Error ? cause.message : String(cause), cause)
  }
}

const textOf = async (output: Readable): Promise<string> => {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of output as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > mostBytes) throw new Error(`more than ${mostBytes} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

const unanswered = (got: string, cause?: unknown): FfmpegError =>
  new FfmpegError(`Expected ffprobe to answer, got: ${got}`, { cause })

const notAVideo = (path: string, got: string): NotAVideoError =>
  new NotAVideoError(`Expected a video, got ${got}: ${path}`, { remedy: `Look into it: ffprobe "${path}"` })

/** What ffprobe complained about, without the path (which is named anyway, and may hold line ends). */
const reason = (stderr: string): string => {
  const refused = stderr.match(/^\[(\S+) @ [^\]]+\] Format not on whitelist/m)
  if (refused) return `a file of the kind "${refused[1]}"`
  const detail = stderr.match(/^\[(?!file @)[^\]]+ @ [^\]]+\] (.+)$/m)?.[1]
  if (/Invalid data found/.test(stderr))
    return detail ? `a damaged file or none (${detail})` : 'something else or a damaged file'
  return detail ?? stderr.trim().split('\n').at(-1)?.split(': ').at(-1) ?? 'an unknown failure'
}
