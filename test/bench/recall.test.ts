import { expect, test } from 'vitest'
import { recallOf } from '../../bench/recall.ts'

test('recall counts the queries whose video is among the first', () => {
  const queries = [1, 2, 3, 4].map((number) => ({ text: `query ${number}`, file: 'right.mp4' }))
  const wrong = Array.from({ length: 5 }, (_, i) => `/clips/wrong${i}.mp4`)
  const right = '/clips/right.mp4'
  const orders = [[right, ...wrong], [...wrong.slice(0, 4), right], [...wrong, right], wrong]
  const recall = recallOf(queries, orders)
  expect(recall).toMatchObject({ recallAt1: 25, recallAt5: 50, recallAt10: 75 })
  expect(recall.mrr).toBeCloseTo((1 + 1 / 5 + 1 / 6) / 4)
})
