import { expect, test } from 'vitest'
import { interleaved, median, quantile } from '../../bench/measure.ts'

test('a median lies between the two middle numbers', () => {
  expect(median([9, 1, 4])).toBe(4)
  expect(median([1, 2, 10, 4])).toBe(3)
  expect(quantile([0, 10], 0.95)).toBeCloseTo(9.5)
  expect(() => median([])).toThrow(RangeError)
})

test('ways are measured in turn, and each keeps its own results', async () => {
  const order: string[] = []
  const results = await interleaved(['a', 'b'], 2, async (way) => order.push(way))
  expect(order).toEqual(['a', 'b', 'a', 'b'])
  expect(results).toEqual([
    [1, 3],
    [2, 4],
  ])
})
