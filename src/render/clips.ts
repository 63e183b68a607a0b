import { VidgrepError } from '../errors.ts'
import { type StreamInfo, streamInfo } from '../video/probe.ts'
import { canDropFrames, countsDropped, frameRateOf, framesOfTimecode } from '../video/timecode.ts'
import type { ShownMoment } from './box.ts'
import type { Clip } from './exports.ts'

export type MissingMoment = { readonly moment: ShownMoment; readonly reason: string }

/** Length in seconds of the clip around a moment that is a single sampled frame. */
const shortestSeconds = 1

/**
 * Moments as clips, with the frame rate, size and time code that their files state.
 *
 * @returns the clips, and the moments whose file is gone, damaged or without a usable frame rate
 */
export const clipsOf = async (
  { query, moments }: { readonly query: string; readonly moments: readonly ShownMoment[] },
  { signal }: { readonly signal?: AbortSignal },
): Promise<{ readonly clips: readonly Clip[]; readonly missing: readonly MissingMoment[] }> => {
  const answers = new Map<string, Promise<StreamInfo>>()
  const clips: Clip[] = []
  const missing: MissingMoment[] = []
  for (const moment of moments) {
    const { path } = moment
    const answer = answers.get(path) ?? streamInfo(path, undefined, { signal })
    answers.set(path, answer)
    try {
      clips.push(clipOf(query, moment, await answer))
    } catch (error) {
      // A missing ffmpeg is no fault of the video.
      if (!(error instanceof VidgrepError) || error.code === 'ffmpeg') throw error
      missing.push({ moment, reason: error.message })
    }
  }
  return { clips, missing }
}

const clipOf = (query: string, { path, t, from, to, score, name = query }: ShownMoment, info: StreamInfo): Clip => {
  const { width, height, frameRate, timecode = '', startSeconds, durationSeconds } = info
  const rate = frameRateOf(frameRate)
  const endSeconds = durationSeconds === undefined ? undefined : startSeconds + durationSeconds
  const startFrame = framesOfTimecode(timecode, rate)
  return {
    ...(to > from ? { from, to } : around(t, endSeconds)),
    ...{ path, t, score, rate, width, height, name },
    startFrame: startFrame ?? 0,
    dropFrame: startFrame === undefined ? canDropFrames(rate) : countsDropped(timecode, rate),
    startSeconds,
    endSeconds: endSeconds ?? Math.max(t, to) + shortestSeconds,
  }
}

const around = (t: number, endSeconds = Number.POSITIVE_INFINITY): { from: number; to: number } => {
  const to = Math.min(Math.max(t - shortestSeconds / 2, 0) + shortestSeconds, Math.max(endSeconds, t))
  return { from: Math.max(0, to - shortestSeconds), to }
}
