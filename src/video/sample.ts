import { checkComplete, damaged } from './complete.ts'
import { openDecoder } from './decoder.ts'
import { createUnpacker, packingOf } from './graph.ts'
import { secondsOf } from './log.ts'
import type { StreamInfo } from './probe.ts'
import { jitterSeconds, type SamplingRule } from './sampling.ts'
import type { DecodedFrames, Frame, FramesOptions } from './video.ts'

/** Decodes from beginning to end and hands out what the rule takes. @throws DamagedVideoError after the last good frame */
export async function* sampleAll(
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
