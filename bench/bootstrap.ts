import { quantile } from './measure.ts'

/** The mean of pairs' differences and its 95% interval. */
export type Gain = { readonly mean: number; readonly low: number; readonly high: number }

const rounds = 2000

/** How much `after` is above `before` on average, by drawing the pairs again with replacement; the same pairs give the same. */
export const pairedGain = (before: readonly number[], after: readonly number[]): Gain => {
  const gains = after.map((x, i) => x - before[i]!)
  let state = 1
  const draw = () => {
    state = (state * 48_271) % 2_147_483_647
    return gains[state % gains.length]!
  }
  const means = Array.from({ length: rounds }, () => gains.reduce((sum) => sum + draw(), 0) / gains.length)
  const mean = gains.reduce((sum, x) => sum + x, 0) / gains.length
  return { mean, low: quantile(means, 0.025), high: quantile(means, 0.975) }
}

/** `+7.2 [1.4, 13.0]` */
export const gainText = ({ mean, low, high }: Gain, digits = 1): string =>
  `${mean < 0 ? '' : '+'}${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`
