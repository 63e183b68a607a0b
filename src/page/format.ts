import type { Moment } from './api.ts'

/** 75.04 → "1:15", with hours where there are some. */
export const clock = (seconds: number): string => {
  const whole = Math.floor(Math.max(0, seconds))
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (n: number): string => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** With milliseconds, as it is copied. */
export const exactClock = (seconds: number): string => {
  const ms = Math.round(seconds * 1000) % 1000
  return `${clock(Math.floor(Math.round(seconds * 1000) / 1000))}.${String(ms).padStart(3, '0')}`
}

export const nameOf = (path: string): string => path.split(/[\\/]/).at(-1) ?? path

export const plural = (n: number, one: string): string => `${n.toLocaleString('en')} ${one}${n === 1 ? '' : 's'}`

/** How well a moment fits, 0 to 100: its likelihood where that is known, else its score. */
export const strength = ({ likelihood, score }: Moment): number =>
  Math.max(0, Math.min(100, likelihood === null ? score : 100 * likelihood))

export const explanation = ({ likelihood, score }: Moment): string =>
  likelihood === null
    ? `Score ${score.toFixed(1)}`
    : `Score ${score.toFixed(1)}: better than ${Math.floor(100 * likelihood)} % of plain captions in these videos`

/** A picture that a moment is shown by; `text` where it is one of several. */
export type Step = Pick<Moment, 't' | 'box'> & { readonly text?: string }

const mostSteps = 4

/** What a moment is shown by: of "A then B" each step by its best part, else the peak alone. */
export const stepsOf = (moment: Moment): readonly Step[] => {
  const { parts = [] } = moment
  const best: NonNullable<Moment['parts']> = []
  for (const part of parts) {
    const known = best[part.step]
    if (!known || part.score > known.score) best[part.step] = part
  }
  return best.length > 1 ? best.slice(0, mostSteps) : [moment]
}

/** x, y, width and height as fractions of the frame. */
export type Box = readonly [number, number, number, number]

export const isWhole = ([x, y, w, h]: Box): boolean => x <= 0 && y <= 0 && x + w >= 1 && y + h >= 1
