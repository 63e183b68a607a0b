import { UsageError } from '../errors.ts'

/** Frames a second as a fraction: 30000/1001, 25/1. */
export type FrameRate = { readonly over: number; readonly under: number }

/** The rates that editors know, by what people and ffprobe call them. */
const known: readonly FrameRate[] = [
  { over: 24000, under: 1001 },
  { over: 24, under: 1 },
  { over: 25, under: 1 },
  { over: 30000, under: 1001 },
  { over: 30, under: 1 },
  { over: 48, under: 1 },
  { over: 50, under: 1 },
  { over: 60000, under: 1001 },
  { over: 60, under: 1 },
]

/** The largest relative difference between a file's average rate and the rate that it was made with. */
const tolerance = 0.0005

/** The rate that editors know which is nearest to a measured one; one of its own where none is near. */
export const frameRateOf = (framesASecond: number): FrameRate => {
  if (!(framesASecond > 0 && framesASecond <= 1000)) {
    throw new UsageError(`Expected a frame rate above 0 and up to 1000, got ${framesASecond}`, {
      remedy: 'Convert the video to a constant frame rate',
    })
  }
  const near = known.find(({ over, under }) => Math.abs(framesASecond / (over / under) - 1) <= tolerance)
  return near ?? { over: Math.round(framesASecond * 1000), under: 1000 }
}

/** Frames that a time code counts a second: 30 at 29.97. */
export const nominalRate = ({ over, under }: FrameRate): number => Math.round(over / under)

/** Drop-frame counting is for 29.97 and 59.94: two (four) numbers are left out each minute but every tenth. */
export const canDropFrames = ({ under, over }: FrameRate): boolean => under === 1001 && over % 30000 === 0

/** Whether a file's time code counts so: it says by the mark before the frames. */
export const countsDropped = (timecode: string, rate: FrameRate): boolean =>
  canDropFrames(rate) && /[;.]/.test(timecode)

/** The number of the frame that is shown at a time; times are rounded to milliseconds elsewhere, so the nearest start counts. */
export const frameAt = (seconds: number, { over, under }: FrameRate): number => {
  const exact = (seconds * over) / under
  return Math.max(0, Math.floor(exact + roundingFrames))
}

/** A start of a frame that was rounded to a millisecond lies up to 0.06 frames before itself at 120 a second. */
const roundingFrames = 0.07

/**
 * SMPTE 12M time code: `01:00:00:00`, with `;` before the frames where numbers are dropped.
 *
 * @param frame number of the frame, from 0
 * @param dropFrame count as 29.97 and 59.94 are counted in broadcasting
 */
export const timecode = (frame: number, rate: FrameRate, dropFrame = canDropFrames(rate)): string => {
  const nominal = nominalRate(rate)
  const number = dropFrame ? frame + droppedBefore(frame, nominal) : frame
  const two = (value: number): string => String(value).padStart(2, '0')
  const seconds = Math.floor(number / nominal)
  // Time code begins again after a day.
  const hours = Math.floor(seconds / 3600) % 24
  const parts = [hours, Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(':')
  return `${parts}${dropFrame ? ';' : ':'}${two(number % nominal)}`
}

/** Numbers that were left out before a frame, which counts from 0 without gaps. */
const droppedBefore = (frame: number, nominal: number): number => {
  const dropped = nominal / 15
  const inTenMinutes = nominal * 600 - dropped * 9
  const inMinute = nominal * 60 - dropped
  const tens = Math.floor(frame / inTenMinutes)
  const rest = frame % inTenMinutes
  const minutes = rest < nominal * 60 ? 0 : 1 + Math.floor((rest - nominal * 60) / inMinute)
  return dropped * (9 * tens + minutes)
}

/** `01:00:00;00` → the number of its frame. @returns `undefined` for what is no time code of this rate */
export const framesOfTimecode = (text: string, rate: FrameRate): number | undefined => {
  const [, hours, minutes, seconds, mark, frames] = /^(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)$/.exec(text.trim()) ?? []
  if (frames === undefined) return undefined
  const nominal = nominalRate(rate)
  const [h, m, s, f] = [Number(hours), Number(minutes), Number(seconds), Number(frames)]
  if (m > 59 || s > 59 || f >= nominal) return undefined
  const number = ((h * 60 + m) * 60 + s) * nominal + f
  if (mark === ':' || !canDropFrames(rate)) return number
  const allMinutes = h * 60 + m
  return number - (nominal / 15) * (allMinutes - Math.floor(allMinutes / 10))
}
