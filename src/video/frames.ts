import { UsageError } from '../errors.ts'
import { checkReadable } from './input.ts'
import { dueKeys, sampleKeys } from './keys.ts'
import { type StreamInfo, streamInfo } from './probe.ts'
import { sampleAll } from './sample.ts'
import { framesToDecode, samplingRule } from './sampling.ts'
import { DamagedVideoError, type Frame, type FramesOptions, type View } from './video.ts'

/**
 * Decodes a video once, from beginning to end, and hands out the first frame, then each time the first frame that lies
 * at least `everySeconds` after the last one taken, out of those that `decode` names (see {@link samplingRule}). Times are
 * the file's own presentation times in seconds.
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
