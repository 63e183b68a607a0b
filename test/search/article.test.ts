import { describe, expect, test } from 'vitest'
import { articleFilter } from '../../src/search/article.ts'
import { scoreOf } from '../../src/search/surroundings.ts'
import type { Hit } from '../../src/store/store.ts'

const hit = (score: number, t: number, { until = t, video = 'v', patch = 1 } = {}): Hit => ({
  ...{ id: `${video}-${t}-${patch}`, video, path: `/${video}.mp4`, t, until, patch },
  ...{ box: [0, 0, 0.5, 0.5], similarity: score / 100 },
})

describe('the article’s filter', () => {
  const options = { n: 6, thresholdScore: 35, gapSeconds: 0.1 }
  /** What the article prints for "a red car". */
  const redCar = [
    hit(40.46875, 118.70833333333333, { patch: 8 }),
    hit(38.15625, 121.83333333333333),
    hit(38.0625, 120.79166666666667),
    hit(38.0, 9.375),
    hit(38.0, 7.291666666666667),
    hit(37.75, 118.70833333333333, { patch: 9 }),
  ]

  test('passes the list that the article prints whole: the first and the last are the same moment', () => {
    const accepted = articleFilter(redCar, options)
    expect(accepted.map((each) => [scoreOf(each), each.t])).toEqual(redCar.map((each) => [scoreOf(each), each.t]))
  })

  test('compares with the one accepted last alone, whatever its video', () => {
    const hits = [hit(50, 1), hit(49, 1.05, { video: 'w' }), hit(48, 2), hit(47, 1)]
    expect(articleFilter(hits, options).map(({ t }) => t)).toEqual([1, 2, 1])
  })

  test('takes scores above the threshold, at most n, from ten hits for each', () => {
    expect(articleFilter([hit(35.01, 1), hit(35, 2)], options)).toHaveLength(1)
    const many = Array.from({ length: 30 }, (_, i) => hit(90 - i, i < 20 ? 1 : i))
    expect(articleFilter(many, { ...options, n: 2 }).map(({ t }) => t)).toEqual([1])
    expect(articleFilter(many, { ...options, n: 3 }).map(({ t }) => t)).toEqual([1, 20, 21])
  })
})
