import { quantile } from './measure.ts'

/** The mean of pairs' differences and its 95% interval. */
export type Gain = { readonly mean: number; readonly low: number; readonly high: number }

const rounds = 2000

/**
 * 95% interval of what a statistic comes to when the samples are drawn again with replacement; the same samples give the
 * same.
 *
 * @param statistic of samples, by their numbers
 */
export const interval = (
  samples: number,
  statistic: (drawn: readonly number[]) => number,
): { readonly low: number; readonly high: number } => {
  let state = 1
  const draw = () => {
    state = (state * 48_271) % 2_147_483_647
    return state % samples
  }
  const values = Array.from({ length: rounds }, () => statistic(Array.from({ length: samples }, draw)))
  return { low: quantile(values, 0.025), high: quantile(values, 0.975) }
}

/** How much `after` is above `before` on average. */
export const pairedGain = (before: readonly number[], after: readonly number[]): Gain => {
  const gains = after.map((x, i) => x - before[i]!)
  const meanOf = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length
  return { mean: meanOf(gains), ...interval(gains.length, (drawn) => meanOf(drawn.map((i) => gains[i]!))) }
}

/** `+7.2 [1.4, 13.0]` */
export const gainText = ({ mean, low, high }: Gain, digits = 1): string =>
  `${mean < 0 ? '' : '+'}${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`
