import { NotAVideoError } from '../files/regular.ts'
import { fromStart } from './clock.ts'
import { crashSignals, FfmpegError, findTool, type ToolVersion } from './ffmpeg.ts'
import { defaultSilenceSeconds, type Ended, inputUrl, run, safeInputOptions, watchSilence } from './run.ts'

/** Most that ffprobe may answer, in bytes; a long file's packets of some minutes stay far below. */
const mostBytes = 256 * 1024 * 1024

export type FfprobeOptions = {
  readonly signal?: AbortSignal
  /** Seconds without a word after which it is taken to hang. @default 60 */
  readonly silenceSeconds?: number
}

/**
 * Runs ffprobe and reads its JSON. Its own program and not fluent-ffmpeg's reader, which takes a line end within a tag
 * for the end of the tag.
 *
 * @param options what to show, such as `-show_streams`
 * @throws NotAVideoError if the file is of no known kind
 */
export const ffprobe = async <T>(path: string, options: readonly string[], runOptions: FfprobeOptions): Promise<T> => {
  const tool = await findTool('ffprobe')
  const command = ['-v', 'error', ...safeInputOptions(path), ...options, '-of', 'json', inputUrl(path)]
  const { stdout, stderr, exitCode, signalName } = await answerOf(tool, command, runOptions)
  if (signalName && crashSignals.includes(signalName)) {
    throw notAVideo(path, `a file that makes ffprobe crash (${signalName})`)
  }
  if (exitCode === null) throw unanswered(`it was ended by ${signalName}`)
  if (exitCode !== 0) throw notAVideo(path, reason(stderr))
  try {
    return JSON.parse(stdout) as T
  } catch (cause) {
    throw unanswered('something else than JSON', cause)
  }
}

/** A piece of one of a file's streams, in the order of the file. */
export type Packet = {
  readonly streamIndex: number
  /** When it is shown, else when it is decoded, in seconds from the start of the file; `NaN` where the file says neither. */
  readonly seconds: number
  /** When it is decoded; `NaN` where the file does not say. */
  readonly decodeSeconds: number
  /** How long it is shown. */
  readonly durationSeconds: number
  readonly isKey: boolean
  /** It is decoded for the sake of others, and not shown. */
  readonly isDiscarded: boolean
}

/** Where to begin and end in seconds from the start of the file. Default: at its start, at its end. */
export type Span = { readonly fromSeconds?: number; readonly toSeconds?: number }

/** A file, how far to look into it, and the time of its clock from which times count. */
export type PacketSource = {
  readonly path: string
  readonly lookOptions: readonly string[]
  readonly clockStartSeconds: number
}

/** Packets of a span; those that cannot be read are not there. */
export const packets = async (
  { path, lookOptions, clockStartSeconds }: PacketSource,
  { fromSeconds, toSeconds }: Span,
  signal: AbortSignal | undefined,
): Promise<readonly Packet[]> => {
  const onClock = (seconds: number | undefined): string =>
    seconds === undefined ? '' : (seconds + clockStartSeconds).toFixed(6)
  const interval = ['-read_intervals', `${onClock(fromSeconds)}%${onClock(toSeconds)}`]
  try {
    const answer = await ffprobe<PacketList>(path, [...lookOptions, ...interval, ...packetEntries], { signal })
    return packetsOf(answer.packets, clockStartSeconds)
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof FfmpegError) throw error
    return []
  }
}

const packetEntries = ['-show_entries', 'packet=stream_index,pts_time,dts_time,duration_time,flags']

/** Shows the packets from the last key frame on: no file is so long. */
export const endOptions = ['-read_intervals', '100000000%', ...packetEntries]

export const packetsOf = (listed: readonly ListedPacket[] = [], clockStartSeconds: number): readonly Packet[] =>
  listed.map(({ stream_index = -1, dts_time, pts_time = dts_time, duration_time = 0, flags = '' }) => ({
    streamIndex: stream_index,
    seconds: fromStart(Number(pts_time), clockStartSeconds),
    decodeSeconds: fromStart(Number(dts_time), clockStartSeconds),
    durationSeconds: Number(duration_time),
    isKey: flags.includes('K'),
    isDiscarded: flags.includes('D'),
  }))

type PacketList = { readonly packets?: readonly ListedPacket[] }

/** A packet as ffprobe lists it. */
export type ListedPacket = {
  readonly stream_index?: number
  readonly pts_time?: string
  readonly dts_time?: string
  readonly duration_time?: string
  readonly flags?: string
}

/** What it writes and how it ends. @throws FfmpegError if it cannot be started or says too much */
const answerOf = async (
  tool: ToolVersion,
  command: readonly string[],
  { signal, silenceSeconds = defaultSilenceSeconds }: FfprobeOptions,
): Promise<Ended & { readonly stdout: string; readonly stderr: string }> => {
  const stderr: string[] = []
  const stdout: Buffer[] = []
  let bytes = 0
  const watch = watchSilence(silenceSeconds, () => unanswered(`nothing for ${silenceSeconds} s`), signal)
  const program = run(tool, command, { log: { read: (line) => stderr.push(line), close() {} }, signal: watch.signal })
  try {
    watch.begin()
    for await (const piece of program.output) {
      watch.hear()
      bytes += piece.length
      if (bytes > mostBytes) throw unanswered(`more than ${mostBytes} bytes`)
      stdout.push(piece)
    }
  } finally {
    watch.pause()
  }
  return { stdout: Buffer.concat(stdout).toString(), stderr: stderr.join('\n'), ...program.ended() }
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
