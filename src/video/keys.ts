import { openDecoder } from './decoder.ts'
import { createUnpacker, packingOf } from './graph.ts'
import { secondsOf } from './log.ts'
import { packets } from './packets.ts'
import type { StreamInfo } from './probe.ts'
import { type SamplingRule, samplingRule } from './sampling.ts'
import type { DecodedFrames, Frame, FramesOptions } from './video.ts'

/** Length in seconds from which on it pays to look: looking takes as long as decoding a second or two. */
const worthSeconds = 60

/** Seconds that are looked at first: in most files that is enough to know better. */
const firstSeconds = 10

/** Seconds that are looked at at once after that: some thousand packets a minute have to be kept meanwhile. */
const sliceSeconds = 600

/** ffprobe rounds times to microseconds. */
const roundingSeconds = 2e-6

/** Frames are stored before those that they are made from are shown, by fewer seconds than this. */
const reorderSeconds = 2

/**
 * Times in seconds of all frames that the sampling rule takes, if every one of them is a key frame: then decoding the key
 * frames alone gives the very same frames. So it is with most cameras, which write one a second. Only the packets are
 * read for it, nothing is decoded.
 *
 * @returns `undefined` where one is none, or the packets do not tell
 */
export const dueKeys = async (
  stream: StreamInfo,
  everySeconds: number,
  decode: DecodedFrames,
  signal?: AbortSignal,
): Promise<readonly number[] | undefined> => {
  const { startSeconds, endSeconds, isSeekable } = stream
  if (everySeconds === 0 || endSeconds === undefined || !isSeekable) return undefined
  if (endSeconds - startSeconds < worthSeconds) return undefined
  const rule = samplingRule(everySeconds, decode)
  const due: number[] = []
  let from = startSeconds
  for (let to = from + firstSeconds; from < endSeconds; to = from + sliceSeconds) {
    const taken = (await shown(stream, from, to, signal)).filter(({ seconds }) => rule.takes(seconds))
    if (taken.length === 0 || !taken.every(({ isKey }) => isKey)) return undefined
    due.push(...taken.map(({ seconds }) => seconds))
    from = to
  }
  return due
}

/** What is shown from one time to before another, by time. */
const shown = async (stream: StreamInfo, from: number, to: number, signal: AbortSignal | undefined) => {
  const begin = from > stream.startSeconds ? (from - reorderSeconds).toFixed(6) : ''
  const found = await packets(stream, `${begin}%${(to + reorderSeconds).toFixed(6)}`, signal)
  return found
    .filter(({ stream_index, flags = '' }) => stream_index === stream.index && !flags.includes('D'))
    .map(({ pts_time, flags = '' }) => ({ seconds: Number(pts_time), isKey: flags.includes('K') }))
    .filter(({ seconds }) => seconds >= from - roundingSeconds && seconds < to - roundingSeconds)
    .sort((a, b) => a.seconds - b.seconds)
}

/**
 * Decodes key frames alone, as all that are due are among them.
 *
 * @returns whether they all came, each at its time; if not, the rule knows which ones did
 */
export async function* sampleKeys(
  stream: StreamInfo,
  due: readonly number[],
  rule: SamplingRule,
  { views, threads, signal }: FramesOptions,
): AsyncGenerator<Frame, boolean> {
  const unpacker = createUnpacker(packingOf(views))
  const decoder = await openDecoder({ stream, views, select: rule.expression, decode: 'keys', threads, signal })
  let next = 0
  try {
    for await (const { time, packed, done } of decoder.frames()) {
      const late = time ? secondsOf(time) - (due[next] ?? Number.POSITIVE_INFINITY) : Number.NEGATIVE_INFINITY
      if (late > roundingSeconds) return false
      if (late < -roundingSeconds) {
        done()
        continue
      }
      const timestampSeconds = secondsOf(time!)
      rule.takes(timestampSeconds)
      next += 1
      yield { timestampSeconds, ...unpacker.unpack(packed, done) }
    }
    const { earlyErrors, errors, exitCode } = await decoder.outcome()
    return next === due.length && earlyErrors.count + errors.count === 0 && exitCode === 0
  } finally {
    await decoder.stop()
  }
}
