import { UsageError } from '../errors.ts'

/**
 * A time in a video as people read it: `hh:mm:ss.mmm`, rounded to milliseconds. Hours grow as they need to; times
 * before the start of the file carry a minus.
 */
export const formatTimestamp = (seconds: number): string => {
  const milliseconds = Math.round(Math.abs(seconds) * 1000)
  const part = (unit: number, modulus: number, digits: number): string =>
    String(Math.floor(milliseconds / unit) % modulus).padStart(digits, '0')
  const hours = String(Math.floor(milliseconds / 3_600_000)).padStart(2, '0')
  const sign = seconds < 0 && milliseconds > 0 ? '-' : ''
  return `${sign}${hours}:${part(60_000, 60, 2)}:${part(1000, 60, 2)}.${part(1, 1000, 3)}`
}

/** From when to when the same is to be seen; one time where that is one frame. */
export const formatSpan = (span: { readonly from: number; readonly to: number }): string => {
  const [from, to] = [formatTimestamp(span.from), formatTimestamp(span.to)]
  return from === to ? from : `${from} – ${to}`
}

/** `1:02:03.5`, `2:03`: minutes and seconds stay under 60 behind a colon. */
const clock = /^(-)?(?:(\d+):(?=\d+:))?(\d+):([0-5]?\d(?:\.\d+)?)$/

/** `1h2m3.5s`, `1m30s`, `1500ms`. */
const units = /^(-)?(?=\d)(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/i

const plain = /^-?(?:\d+(?:\.\d*)?|\.\d+)$/

/**
 * Reads a time within a video: seconds (`90`, `12.5`), a clock (`1:02:03.5`, `2:03`) or units (`1h2m3.5s`, `1m30s`,
 * `500ms`), each with an optional minus.
 *
 * @returns seconds
 * @throws UsageError for anything else
 */
export const parseTimestamp = (text: string): number => {
  const trimmed = text.trim()
  const seconds = plain.test(trimmed) ? Number(trimmed) : (parseClock(trimmed) ?? parseUnits(trimmed))
  if (seconds === undefined || !Number.isFinite(seconds)) {
    throw new UsageError(`Expected a time such as 90, 1:02:03.5 or 1m30s, got "${text}"`, {
      remedy: 'Give seconds, h:mm:ss or 1h2m3s',
    })
  }
  return seconds
}

const parseClock = (text: string): number | undefined => {
  const match = clock.exec(text)
  if (!match) return undefined
  const [, sign, hours, minutes, seconds] = match
  if (hours !== undefined && Number(minutes) > 59) return undefined
  return signed(sign, Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(seconds))
}

const parseUnits = (text: string): number | undefined => {
  const match = units.exec(text)
  if (!match) return undefined
  const [, sign, ...amounts] = match
  const [hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = amounts.map((amount) => Number(amount ?? 0))
  return signed(sign, hours * 3600 + minutes * 60 + seconds + milliseconds / 1000)
}

const signed = (sign: string | undefined, seconds: number): number => (sign ? -seconds : seconds)
