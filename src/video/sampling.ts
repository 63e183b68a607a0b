import { packets } from './ffprobe.ts'
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
  { frameRate, isSteady, isJoined, statesTimes }: StreamInfo,
  everySeconds: number,
  decode: DecodedFrames = 'all',
): DecodedFrames => {
  // Where the clock was set anew, and what no time is written for, is only known from one frame to the next.
  if (isJoined || !statesTimes) return 'all'
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
 * so it shows that a file's times begin a second time.
 *
 * @param keysOnly key frames only, although others are decoded too
 */
export const samplingRule = (everySeconds: number, decode: DecodedFrames, keysOnly = false): SamplingRule => {
  if (everySeconds === 0) return { expression: keysOnly ? 'key' : undefined, takes: () => true }
  const goesBack = `lt((pts-prev_selected_pts)*TB,-${jitterSeconds})`
  let first: number | undefined
  let last: number | undefined
  if (decode !== 'references') {
    const isDue = `gte((pts-prev_selected_pts)*TB,${everySeconds - toleranceSeconds})`
    return {
      expression: `${keysOnly ? 'key*' : ''}(isnan(prev_selected_pts)+${isDue}+${goesBack})`,
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

/** Length in seconds from which on it pays to look: looking takes as long as decoding a second or two. */
const worthSeconds = 60

/** Seconds that are looked at first: in most files that is enough to know better. */
const firstSeconds = 10

/** Seconds that are looked at at once after that: some thousand packets a minute have to be kept meanwhile. */
const sliceSeconds = 600

/** ffprobe rounds times to microseconds. */
export const roundingSeconds = 2e-6

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
  const { startSeconds, endSeconds, isSeekable, statesTimes } = stream
  if (everySeconds === 0 || endSeconds === undefined || !isSeekable || !statesTimes) return undefined
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
  const fromSeconds = from > stream.startSeconds ? from - reorderSeconds : undefined
  const found = await packets(stream, { fromSeconds, toSeconds: to + reorderSeconds }, signal)
  return found
    .filter(({ streamIndex, isDiscarded }) => streamIndex === stream.index && !isDiscarded)
    .filter(({ seconds }) => seconds >= from - roundingSeconds && seconds < to - roundingSeconds)
    .sort((a, b) => a.seconds - b.seconds)
}
