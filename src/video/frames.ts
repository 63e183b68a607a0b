import { UsageError } from '../errors.ts'
import { checkComplete, damaged } from './complete.ts'
import { openDecoder } from './decoder.ts'
import { createUnpacker, packingOf } from './graph.ts'
import { checkReadable } from './input.ts'
import { dueKeys, roundingSeconds } from './keys.ts'
import { secondsOf } from './log.ts'
import { type StreamInfo, streamInfo } from './probe.ts'
import { framesToDecode, jitterSeconds, type SamplingRule, samplingRule } from './sampling.ts'
import { DamagedVideoError, type DecodedFrames, type Frame, type VideoInfo, type View } from './video.ts'

export type FramesOptions = {
  /** Least seconds from one frame taken to the next; 0 for every frame. */
  readonly everySeconds: number
  /** The pictures to make of each frame; at least one. */
  readonly views: readonly View[]
  /**
   * Which frames may be taken. `references` is a permission: it comes to bear where frames lie so close that a sample
   * moves by a small part of `everySeconds` only. @default 'all'
   */
  readonly decode?: DecodedFrames | undefined
  /** Threads that decode. Default: about one a core. */
  readonly threads?: number | undefined
  /** Decode in hardware: ffmpeg's name of a way (`cuda`, `vaapi`, `videotoolbox` …), or `auto`. */
  readonly hwaccel?: string | undefined
  /** Told why hardware that was asked for did not decode; the frames come all the same. */
  readonly onSoftware?: ((reason: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** What `probe` said of the file; asked again where it is missing. */
  readonly info?: VideoInfo | undefined
}

/**
 * Decodes a video once, from beginning to end, and hands out the first frame, then each time the first frame that lies
 * at least `everySeconds` after the last one taken, out of those that `decode` names (see {@link samplingRule}). Times are the file's own
 * presentation times in seconds.
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
  const stream = await streamInfo(path, options.info, { signal: options.signal })
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
  const rule = samplingRule(everySeconds, decode)
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

async function* sampleAll(
  stream: StreamInfo,
  decode: DecodedFrames,
  rule: SamplingRule,
  { everySeconds, views, threads, hwaccel, onSoftware, signal }: FramesOptions,
): AsyncGenerator<Frame> {
  const unpacker = createUnpacker(packingOf(views))
  const decoder = await openDecoder({ stream, views, select: rule.expression, decode, threads, hwaccel, signal })
  let lastSeconds: number | undefined
  let backTo: number | undefined
  try {
    for await (const { time, packed, done } of decoder.frames()) {
      if (!time) continue
      const timestampSeconds = secondsOf(time)
      if (lastSeconds !== undefined && timestampSeconds < lastSeconds - jitterSeconds) backTo ??= timestampSeconds
      lastSeconds = Math.max(lastSeconds ?? timestampSeconds, timestampSeconds)
      if (!rule.takes(timestampSeconds)) {
        done()
        continue
      }
      yield { timestampSeconds, ...unpacker.unpack(packed, done) }
    }
    const outcome = await decoder.outcome()
    await checkComplete(stream, outcome, { lastSeconds, everySeconds, decode, signal })
    if (backTo !== undefined) throw timesRunBack(stream, backTo, lastSeconds)
    if (hwaccel !== undefined && outcome.hardware.decodedAs === stream.pixelFormat)
      onSoftware?.(outcome.hardware.complaint ?? `no hardware here decodes ${stream.codec}`)
  } finally {
    await decoder.stop()
  }
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
