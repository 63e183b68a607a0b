import { type ClockStep, fromStart, hasLost } from './clock.ts'
import type { Outcome } from './decoder.ts'
import { crashSignals, FfmpegError } from './ffmpeg.ts'
import { type Packet, packets } from './ffprobe.ts'
import type { LoggedErrors } from './log.ts'
import type { StreamInfo } from './probe.ts'
import { type DecodedFrames, damaged } from './video.ts'

/** How far a length that a file states may be off, in seconds. */
const slackSeconds = 0.5

/** Holes in the times that are looked at, at most: each takes some reads of the file. */
const mostHoles = 20

export type Reached = {
  /** Time in seconds of the last frame that was handed out, `undefined` if there was none. */
  readonly lastSeconds: number | undefined
  readonly everySeconds: number
  /** @default 'all' */
  readonly decode?: DecodedFrames
  readonly signal?: AbortSignal
}

/**
 * Holds what came out against what the file promised: ffmpeg ends with 0 on most damaged files.
 *
 * @throws DamagedVideoError if errors were logged or the end was not reached
 * @throws FfmpegError if somebody ended ffmpeg
 */
export const checkComplete = async (stream: StreamInfo, outcome: Outcome, reached: Reached): Promise<void> => {
  const { lastSeconds } = reached
  if (outcome.signalName && !crashSignals.includes(outcome.signalName)) {
    throw new FfmpegError(`ffmpeg was ended by ${outcome.signalName}`, {
      remedy: 'Run it again, with more memory free',
    })
  }
  const { count, first: complaint } = decodingErrors(stream, outcome, lastSeconds)
  const first = complaint ?? (outcome.signalName ? `ffmpeg crashed on it: ${outcome.signalName}` : undefined)
  if (lastSeconds === undefined) {
    const why = first ?? outcome.hardware.complaint
    throw damaged(stream, `no frame could be decoded${why ? `: ${why}` : ''}`, undefined)
  }
  if (await stopsShort(stream, reached)) {
    const because = first ? ` (${first})` : ''
    throw damaged(
      stream,
      `decoding stopped at ${lastSeconds.toFixed(1)} s of ${stream.endSeconds!.toFixed(1)} s${because}`,
      lastSeconds,
    )
  }
  const hole = await lostFrames(stream, outcome.steps)
  if (hole) throw damaged(stream, hole, lastSeconds)
  if (count > 0) {
    const many = count === 1 ? '1 decoding error' : `${count} decoding errors, the first`
    throw damaged(stream, `${many}: ${first}`, lastSeconds)
  }
  if (outcome.signalName) throw damaged(stream, `${first}`, lastSeconds)
  if (outcome.exitCode !== 0) throw damaged(stream, `ffmpeg ended with ${outcome.exitCode}`, lastSeconds)
}

/** @throws DamagedVideoError if frames after the last one can no longer be read */
export const checkReached = async (
  stream: StreamInfo,
  reached: Reached & { readonly lastSeconds: number },
): Promise<void> => {
  if (!(await stopsShort(stream, reached))) return
  throw damaged(
    stream,
    `decoding stopped at ${reached.lastSeconds.toFixed(1)} s of ${stream.endSeconds!.toFixed(1)} s`,
    reached.lastSeconds,
  )
}

/** Where frames are lost between others, in words. */
const lostFrames = async (stream: StreamInfo, steps: readonly ClockStep[]): Promise<string | undefined> => {
  const { clock, clockStartSeconds } = stream
  if (!clock) return undefined
  for (const step of steps.filter(({ fromSeconds, toSeconds }) => toSeconds > fromSeconds).slice(0, mostHoles)) {
    if (!(await hasLost(clock, clock.marks, step))) continue
    const [from, to] = [step.fromSeconds, step.toSeconds].map((time) => fromStart(time, clockStartSeconds).toFixed(1))
    return `no frame could be read between ${from} s and ${to} s`
  }
  return undefined
}

/** A broadcast recording begins anywhere: until its first whole picture, what refers to earlier ones is no damage. */
const decodingErrors = (
  { beginsAnywhere }: StreamInfo,
  { earlyErrors, errors }: Outcome,
  lastSeconds: number | undefined,
): LoggedErrors => {
  if (beginsAnywhere && lastSeconds !== undefined) return errors
  return { count: earlyErrors.count + errors.count, first: earlyErrors.first ?? errors.first }
}

/**
 * Whether the last frame lies before the end although there should be more. A last frame may be shown for minutes, and
 * the file's length may be that of its sound: where the times alone leave a doubt, the packets tell.
 */
const stopsShort = async (stream: StreamInfo, reached: Reached): Promise<boolean> => {
  const { lastSeconds = 0, everySeconds, decode = 'all', signal } = reached
  const { endSeconds } = stream
  if (endSeconds === undefined || lastSeconds >= endSeconds - everySeconds - slackSeconds) return false
  const next = lastSeconds + everySeconds + slackSeconds
  const reachesEnd = (read: readonly Packet[]): boolean =>
    read.some(
      ({ streamIndex, seconds, durationSeconds }) =>
        (stream.endIsOfFile || streamIndex === stream.index) && seconds + durationSeconds >= endSeconds - slackSeconds,
    )
  if (decode === 'keys') {
    const lastKeys = stream.endPackets.filter(({ streamIndex, isKey }) => streamIndex === stream.index && isKey)
    const isLast = lastKeys.length > 0 && lastKeys.every(({ seconds }) => seconds <= next)
    if (isLast && reachesEnd(stream.endPackets)) return false
    // Minutes may follow that hold no key frame: all of it is looked at, at once.
    const rest = await packets(stream, { fromSeconds: lastSeconds }, signal)
    return rest.some((packet) => isAfter(packet, next, stream) && packet.isKey) || !reachesEnd(rest)
  }
  const following = await packets(stream, { fromSeconds: lastSeconds, toSeconds: next + 2 }, signal)
  if (following.some((packet) => isAfter(packet, next, stream))) return true
  if (reachesEnd(await packets(stream, { fromSeconds: endSeconds - slackSeconds }, signal))) return false
  // Some readers find no place at or behind the last picture to begin at, though sound follows.
  return !stream.endIsOfFile || !reachesEnd(await packets(stream, { fromSeconds: lastSeconds - 1 }, signal))
}

const isAfter = (packet: Packet, seconds: number, { index }: StreamInfo): boolean =>
  packet.streamIndex === index && packet.seconds > seconds
