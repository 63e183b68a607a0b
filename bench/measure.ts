import { performance } from 'node:perf_hooks'

/** The value below which `share` (0–1) of the numbers lie; `share` 0.5 is the median. */
export const quantile = (numbers: readonly number[], share: number): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  if (below === undefined || above === undefined)
    throw new RangeError('Expected numbers to take a quantile of, got none')
  return below + (above - below) * (at % 1)
}

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5)

/** Milliseconds that `work` takes. */
export const time = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/**
 * Measures each of the ways once a round, the rounds one after the other (a b a b …), so that what else the machine does
 * falls on all of them alike.
 *
 * @returns [ways][rounds]
 */
export const interleaved = async <Way, Result>(
  ways: readonly Way[],
  rounds: number,
  measure: (way: Way) => Promise<Result>,
): Promise<Result[][]> => {
  const results: Result[][] = ways.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, way] of ways.entries()) results[i]!.push(await measure(way))
  }
  return results
}
