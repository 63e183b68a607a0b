import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { crashSignals, FfmpegError, findTool, toolEnvironment } from './ffmpeg.ts'
import { inputUrl, safeInputOptions } from './input.ts'
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
  { signal }: { signal?: AbortSignal | undefined },
): Promise<T> => {
  const tool = await findTool('ffprobe')
  const env = toolEnvironment(tool)
  const command = ['-v', 'error', ...safeInputOptions, ...options, '-of', 'json', inputUrl(path)]
  signal?.throwIfAborted()
  const run = promisify(execFile)(tool.path, command, { signal, env, maxBuffer: mostBytes, windowsHide: true })
  run.child.stdin?.end()
  try {
    return JSON.parse((await run).stdout) as T
  } catch (cause) {
    signal?.throwIfAborted()
    const { stderr, code, signal: crash } = cause as { stderr?: string; code?: unknown; signal?: NodeJS.Signals }
    if (crash && crashSignals.includes(crash))
      throw notAVideo(path, `a file that makes ffprobe crash (${crash})`, cause)
    if (typeof code !== 'number') throw new FfmpegError(`Expected ffprobe to answer, got: ${cause}`, { cause })
    throw notAVideo(path, reason(stderr ?? ''), cause)
  }
}

const notAVideo = (path: string, got: string, cause: unknown): NotAVideoError =>
  new NotAVideoError(`Expected a video, got ${got}: ${path}`, { remedy: `Look into it: ffprobe "${path}"`, cause })

/** What ffprobe complained about, without the path (which is named anyway, and may hold line ends). */
const reason = (stderr: string): string => {
  const refused = stderr.match(/^\[(\S+) @ [^\]]+\] Format not on whitelist/m)
  if (refused) return `a file of the kind "${refused[1]}"`
  const detail = stderr.match(/^\[(?!file @)[^\]]+ @ [^\]]+\] (.+)$/m)?.[1]
  if (/Invalid data found/.test(stderr))
    return detail ? `a damaged file or none (${detail})` : 'something else or a damaged file'
  return detail ?? stderr.trim().split('\n').at(-1)?.split(': ').at(-1) ?? 'an unknown failure'
}
