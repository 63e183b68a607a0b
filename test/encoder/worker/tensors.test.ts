import { expect, test } from 'vitest'
import { fromHalf, toHalf } from '../../../src/encoder/worker/tensors.ts'

test('every 16-bit number survives the way there and back', () => {
  for (let half = 0; half < 0x10000; half++) {
    const value = fromHalf(half)
    if (Number.isNaN(value)) expect(fromHalf(toHalf(value))).toBeNaN()
    else expect(toHalf(value)).toBe(half)
  }
})

test.each([
  [1, 0x3c00],
  [-2, 0xc000],
  [1 / 3, 0x3555],
  [65504, 0x7bff],
  [65519, 0x7bff],
  [65520, 0x7c00],
  [1e10, 0x7c00],
  [-1e10, 0xfc00],
  [2 ** -24, 1],
  [2 ** -25, 0],
  [1.5 * 2 ** -24, 2],
  [2 ** -14 - 2 ** -26, 0x0400],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [0.00001, 0x00a8],
])('%d becomes the bits %i, rounded to the nearest', (value, half) => {
  expect(toHalf(value)).toBe(half)
})

test('what lies between two 16-bit numbers becomes the nearer one', () => {
  for (let half = 0; half < 0x7bff; half++) {
    const [low, high] = [fromHalf(half), fromHalf(half + 1)]
    expect(toHalf(low + 0.49 * (high - low))).toBe(half)
    expect(toHalf(low + 0.51 * (high - low))).toBe(half + 1)
  }
})
