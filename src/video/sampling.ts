import type { StreamInfo } from './probe.ts'
import type { DecodedFrames } from './video.ts'

/** Seconds by which a step may fall short of `everySeconds`: times are ticks, 1.033 − 0.033 counts as 1. */
export const toleranceSeconds = 1e-6

/** Times that go back by more than this many seconds are no jitter of a few frames but a second beginning. */
export const jitterSeconds = 1

/**
 * Frames between two samples from which on those that no other refers to are passed over: encoders put three of them in
 * a row at most, as a rule, so that a sample comes late by an eighth of a step on average and by three tenths at most.
 */
const denseFrames = 10

/** What comes of the wish for some frames only, with this file and step. */
export const framesToDecode = (
  { frameRate, isSteady }: StreamInfo,
  everySeconds: number,
  decode: DecodedFrames = 'all',
): DecodedFrames => {
  const isDense = isSteady && frameRate * everySeconds >= denseFrames
  return decode === 'references' && !isDense ? 'all' : decode
}

/** Told twice: ffmpeg hands out few frames but those that are taken, and which ones is decided here. */
export type SamplingRule = { readonly expression: string | undefined; takes(timestampSeconds: number): boolean }

/**
 * At least `everySeconds` after the last one taken. Where a frame may be passed over that would have been due, the next
 * one is taken, and the one after is due when it would have been: the first in each step of `everySeconds` from the
 * first frame on. So delays do not add up.
 *
 * ffmpeg counts in whole ticks times the time base. A frame that lies far behind the last one is let through too: only
 * so can it be told that a file's times begin a second time.
 */
export const samplingRule = (everySeconds: number, decode: DecodedFrames): SamplingRule => {
  if (everySeconds === 0) return { expression: undefined, takes: () => true }
  const goesBack = `lt((pts-prev_selected_pts)*TB,-${jitterSeconds})`
  let first: number | undefined
  let last: number | undefined
  if (decode !== 'references') {
    const isDue = `gte((pts-prev_selected_pts)*TB,${everySeconds - toleranceSeconds})`
    return {
      expression: `isnan(prev_selected_pts)+${isDue}+${goesBack}`,
      takes: (seconds) => {
        if (last !== undefined && seconds - last < everySeconds - toleranceSeconds) return false
        last = seconds
        return true
      },
    }
  }
  const step = (seconds: number): number => Math.floor((seconds + toleranceSeconds - first!) / everySeconds)
  const stepOf = (pts: string): string => `floor(((${pts}-start_pts)*TB+${toleranceSeconds})/${everySeconds})`
  return {
    expression: `isnan(prev_selected_pts)+gt(${stepOf('pts')},${stepOf('prev_selected_pts')})+${goesBack}`,
    takes: (seconds) => {
      first ??= seconds
      if (last !== undefined && step(seconds) <= step(last)) return false
      last = seconds
      return true
    },
  }
}
