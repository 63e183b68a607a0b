import { UsageError } from '../errors.ts'
import { checkReadable } from '../files/regular.ts'
import { checkComplete } from './complete.ts'
import { type Outcome, openDecoder } from './decoder.ts'
import { createUnpacker, packingOf } from './filterGraph.ts'
import { secondsOf } from './log.ts'
import { type StreamInfo, streamInfo } from './probe.ts'
import { dueKeys, framesToDecode, jitterSeconds, roundingSeconds, type SamplingRule, samplingRule } from './sampling.ts'
import { DamagedVideoError, type DecodedFrames, damaged, type Frame, type FramesOptions, type View } from './video.ts'

/**
 * Decodes a video once, from beginning to end, and hands out the first frame, then each time the first frame that lies
 * at least `everySeconds` after the last one taken, out of those that `decode` names (see {@link samplingRule}). Times
 * are seconds from the start of the file, as players count them.
 *
 * Frames are pulled: ffmpeg waits while nobody asks. It is gone when the loop is left in any way. Each frame has memory
 * of its own until it is {@link Frame.done}.
 *
 * @throws UsageError if `everySeconds` or a view is out of range
 * @throws UnreadableFileError, NotAVideoError as `probe`
 * @throws DamagedVideoError after the last good frame, if decoding went wrong or ended early
 */
export async function* frames(path: string, options: FramesOptions): AsyncGenerator<Frame> {
  checkOptions(options)
  await checkReadable(path)
  const stream = await streamInfo(path, options.info, options)
  if (options.hwaccel === undefined) return yield* sample(stream, options)
  let isUnderWay = false
  try {
    for await (const frame of sample(stream, options)) {
      isUnderWay = true
      yield frame
    }
  } catch (error) {
    options.signal?.throwIfAborted()
    // Before the first frame it may be the hardware's fault.
    if (isUnderWay || !(error instanceof DamagedVideoError)) throw error
    options.onSoftware?.(error.message)
    yield* sample(stream, { ...options, hwaccel: undefined })
  }
}

async function* sample(stream: StreamInfo, options: FramesOptions): AsyncGenerator<Frame> {
  const { everySeconds, signal } = options
  const decode = framesToDecode(stream, everySeconds, options.decode)
  const rule = samplingRule(everySeconds, decode, decode === 'all' && options.decode === 'keys')
  const due = decode === 'keys' ? undefined : await dueKeys(stream, everySeconds, decode, signal)
  if (due && (yield* sampleKeys(stream, due, rule, options))) return
  yield* sampleAll(stream, decode, rule, options)
}

/**
 * Decodes key frames alone, as all that are due are among them.
 *
 * @returns whether they all came, each at its time; if not, the rule knows which ones did
 */
async function* sampleKeys(
  stream: StreamInfo,
  due: readonly number[],
  rule: SamplingRule,
  options: FramesOptions,
): AsyncGenerator<Frame, boolean> {
  const { views, threads, hwaccel, signal, silenceSeconds } = options
  const unpacker = createUnpacker(packingOf(views))
  const decoding = { threads, hwaccel, signal, silenceSeconds }
  const decoder = openDecoder({ stream, views, select: rule.expression, decode: 'keys', ...decoding })
  let next = 0
  for await (const { time, packed, done } of decoder.frames) {
    const late = time ? secondsOf(time, stream) - (due[next] ?? Number.POSITIVE_INFINITY) : Number.NEGATIVE_INFINITY
    if (late > roundingSeconds) return false
    if (late < -roundingSeconds) {
      done()
      continue
    }
    const timestampSeconds = secondsOf(time!, stream)
    rule.takes(timestampSeconds)
    next += 1
    yield { timestampSeconds, ...unpacker.unpack(packed, done) }
  }
  const outcome = decoder.outcome()
  if (next < due.length || outcome.earlyErrors.count + outcome.errors.count > 0 || outcome.exitCode !== 0) return false
  reportSoftware(stream, outcome, options)
  return true
}

/** Decodes from beginning to end and hands out what the rule takes. @throws DamagedVideoError after the last good frame */
async function* sampleAll(
  stream: StreamInfo,
  decode: DecodedFrames,
  rule: SamplingRule,
  options: FramesOptions,
): AsyncGenerator<Frame> {
  const { everySeconds, views, threads, hwaccel, signal, silenceSeconds } = options
  const unpacker = createUnpacker(packingOf(views))
  const decoding = { threads, hwaccel, signal, silenceSeconds }
  const decoder = openDecoder({ stream, views, select: rule.expression, decode, ...decoding })
  let lastSeconds: number | undefined
  let backTo: number | undefined
  for await (const { time, packed, done } of decoder.frames) {
    if (!time) continue
    const timestampSeconds = secondsOf(time, stream)
    if (lastSeconds !== undefined && timestampSeconds < lastSeconds - jitterSeconds) backTo ??= timestampSeconds
    lastSeconds = Math.max(lastSeconds ?? timestampSeconds, timestampSeconds)
    if (!rule.takes(timestampSeconds)) {
      done()
      continue
    }
    yield { timestampSeconds, ...unpacker.unpack(packed, done) }
  }
  const outcome = decoder.outcome()
  const asked = options.decode === 'keys' ? 'keys' : decode
  await checkComplete(stream, outcome, { lastSeconds, everySeconds, decode: asked, signal })
  if (backTo !== undefined) throw timesRunBack(stream, backTo, lastSeconds)
  reportSoftware(stream, outcome, options)
}

/** Hardware hands out another pixel format than the file's own: the same one means that software decoded. */
const reportSoftware = ({ pixelFormat, codec }: StreamInfo, { hardware }: Outcome, options: FramesOptions): void => {
  if (options.hwaccel === undefined || hardware.decodedAs !== pixelFormat) return
  options.onSoftware?.(hardware.complaint ?? `no hardware here decodes ${codec}`)
}

const timesRunBack = (stream: StreamInfo, backTo: number, lastSeconds: number | undefined) =>
  damaged(
    stream,
    `its times begin again at ${backTo.toFixed(1)} s: what shares its time with another frame was left out`,
    lastSeconds,
  )

const checkOptions = ({ everySeconds, views }: FramesOptions): void => {
  if (!(everySeconds >= 0 && everySeconds < Number.POSITIVE_INFINITY)) {
    throw new UsageError(`Expected a number of seconds of 0 or more between frames, got ${everySeconds}`, {
      remedy: 'Use for instance --every 1',
    })
  }
  if (views.length === 0) throw new RangeError('Expected at least one view, got none')
  for (const view of views) checkView(view)
}

/** @throws RangeError if a view has no size, or is cut to what lies outside */
export const checkView = ({ width, height, crop }: View): void => {
  const areSizes = [width, height, crop?.width ?? 1, crop?.height ?? 1].every((n) => Number.isInteger(n) && n > 0)
  const corner = [crop?.x ?? 0, crop?.y ?? 0].every((n) => Number.isInteger(n) && n >= 0)
  const fits = !crop || (crop.x + crop.width <= width && crop.y + crop.height <= height)
  if (areSizes && corner && fits) return
  throw new RangeError(
    `Expected a view of whole pixels cut within itself, got ${JSON.stringify({ width, height, crop })}`,
  )
}
