import { describe, expect, test } from 'vitest'
import { batchFor, shareOut, shares } from '../../src/encoder/device.ts'
import { loadModel } from '../../src/models/load.ts'

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

const megabytes = 2 ** 20
const gigabytes = 2 ** 30

describe.each([
  ['starter', 33],
  ['ViT-B/32', 335],
  ['RN50x4', 333],
  ['SigLIP', 355],
])('the image tower of %s, %d MB', (_, size) => {
  test.each([4, 8, 16, 32, 64, 128, 256, 512])('with %d GB uses every core of 1 to 128', (memory) => {
    for (let cores = 1; cores <= 128; cores++) {
      const threads = shareOut({ cores, memoryBytes: memory * gigabytes }, size * megabytes)
      expect(sum(threads)).toBe(cores)
      expect(Math.max(...threads) - Math.min(...threads)).toBeLessThanOrEqual(1)
    }
  })
})

test('a session has a thread of its own where the memory allows it, else fewer sessions have more', () => {
  const tower = 100 * megabytes
  expect(shareOut({ cores: 4, memoryBytes: 64 * gigabytes }, tower)).toEqual([1, 1, 1, 1])
  expect(shareOut({ cores: 16, memoryBytes: gigabytes }, tower)).toEqual([16])
})

test('threads are shared out evenly, the odd ones first, and no session goes without', () => {
  expect(shares(8, 3)).toEqual([3, 3, 2])
  expect(shares(1, 2)).toEqual([1, 1])
})

test("a batch is the model's own on a CPU, also before the device is known", async () => {
  const model = await loadModel('starter')
  const other = { ...model, image: { ...model.image, batch: 8 } }
  expect([batchFor(model, undefined), batchFor(model, 'cpu'), batchFor(model, 'cuda')]).toEqual([4, 4, 16])
  expect([batchFor(other, undefined), batchFor(other, 'cpu'), batchFor(other, 'cuda')]).toEqual([8, 8, 16])
})
