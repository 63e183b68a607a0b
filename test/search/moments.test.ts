import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { articleFilter, scoreOf, selectMoments } from '../../src/search/moments.ts'
import type { Hit } from '../../src/store/store.ts'

const hit = (score: number, t: number, { until = t, video = 'v', patch = 1 } = {}): Hit => ({
  id: `${video}-${t}-${patch}`,
  video,
  path: `/${video}.mp4`,
  t,
  until,
  patch,
  box: [0, 0, 0.5, 0.5],
  similarity: score / 100,
})

/** What the article prints for "a red car". */
const redCar = [
  hit(40.46875, 118.70833333333333, { patch: 8 }),
  hit(38.15625, 121.83333333333333),
  hit(38.0625, 120.79166666666667),
  hit(38.0, 9.375),
  hit(38.0, 7.291666666666667),
  hit(37.75, 118.70833333333333, { patch: 9 }),
]

describe('the list that the article prints', () => {
  test('passes the article’s own filter whole: six results, the first and the last the same moment', () => {
    const accepted = articleFilter(redCar, 6, 35, 0.1)
    expect(accepted.map(({ score, t }) => [score, t])).toEqual(redCar.map((h) => [scoreOf(h), h.t]))
  })

  test('holds five moments for ours', () => {
    const moments = selectMoments(redCar, { n: 6, thresholdScore: 35, gapSeconds: 0.1 })
    expect(moments.map(({ t }) => t)).toEqual(redCar.slice(0, 5).map(({ t }) => t))
  })
})

describe('the article’s filter', () => {
  test('looks at no more than ten hits a result', () => {
    const hits = Array.from({ length: 30 }, (_, i) => hit(50 - i, i < 25 ? 1 : i))
    expect(articleFilter(hits, 2).map(({ t }) => t)).toEqual([1])
    expect(articleFilter(hits, 3, 0).map(({ t }) => t)).toEqual([1, 25, 26])
  })

  test('asks for more than the threshold and for more than the gap', () => {
    expect(articleFilter([hit(50, 1), hit(49, 1.0625), hit(48, 1.125), hit(25, 9)], 6, 25, 0.125)).toHaveLength(1)
  })

  test('compares over all videos', () => {
    expect(articleFilter([hit(50, 1), hit(49, 1, { video: 'w' })], 6, 35, 0.1)).toHaveLength(1)
  })
})

describe('selecting moments', () => {
  const select = (hits: Hit[], options = {}) =>
    selectMoments(hits, { n: 6, gapSeconds: 0.1, ...options }).map(({ video, t }) => `${video}${t}`)

  test('keeps a hit that scores exactly the threshold', () => {
    expect(select([hit(50, 1), hit(25, 2), hit(24.99, 3)], { thresholdScore: 25 })).toEqual(['v1', 'v2'])
  })

  test('drops what is exactly the gap away, whatever the rounding of the difference', () => {
    expect(1.1 - 1).toBeGreaterThan(0.1)
    expect(select([hit(50, 1), hit(49, 1.1), hit(48, 0.9), hit(47, 1.101)])).toEqual(['v1', 'v1.101'])
  })

  test('lets the same time of another video through', () => {
    expect(select([hit(50, 1), hit(49, 1, { video: 'w' })])).toEqual(['v1', 'w1'])
  })

  test('takes a hit for its whole span, on both sides', () => {
    const still = hit(50, 10, { until: 60 })
    const inside = hit(49, 30)
    const around = hit(48, 5, { until: 100 })
    const touching = hit(47, 4, { until: 9.95 })
    const before = hit(46, 4, { until: 9 })
    const after = hit(45, 60.2)
    expect(select([still, inside, around, touching, before, after])).toEqual(['v10', 'v4', 'v60.2'])
  })

  test('drops what equals a moment’s time even with no gap', () => {
    expect(select([hit(50, 1), hit(49, 1, { patch: 2 }), hit(48, 1.001)], { gapSeconds: 0 })).toEqual(['v1', 'v1.001'])
  })
})

const someHits = fc
  .array(
    fc.record({
      score: fc.integer({ min: -100, max: 100 }),
      t: fc.integer({ min: 0, max: 40 }),
      length: fc.integer({ min: 0, max: 6 }),
      video: fc.constantFrom('a', 'b', 'c'),
    }),
    { maxLength: 60 },
  )
  .map((hits) =>
    hits
      .map(({ score, t, length, video }, patch) => hit(score, t / 4, { until: (t + length) / 4, video, patch }))
      .sort((a, b) => b.similarity - a.similarity),
  )

const options = fc.record({
  n: fc.integer({ min: 1, max: 12 }),
  thresholdScore: fc.option(fc.integer({ min: -100, max: 100 }), { nil: undefined }),
  gapSeconds: fc.integer({ min: 0, max: 12 }).map((quarters) => quarters / 4),
})

/** Written the other way round: time steps that both spans, widened by the gap, have in common. */
const areOneMoment = (a: Hit, b: Hit, gapSeconds: number): boolean =>
  a.video === b.video && b.t <= a.until + gapSeconds && a.t <= b.until + gapSeconds

test('whatever the hits, moments are apart, above the threshold and best first, and nothing better is left out', () => {
  fc.assert(
    fc.property(someHits, options, (hits, { n, thresholdScore, gapSeconds }) => {
      const moments = selectMoments(hits, { n, thresholdScore, gapSeconds })
      expect(moments.length).toBeLessThanOrEqual(n)
      for (const [i, moment] of moments.entries()) {
        expect(moment.score).toBeGreaterThanOrEqual(thresholdScore ?? -100)
        expect(moments.slice(0, i).some((better) => areOneMoment(better, moment, gapSeconds))).toBe(false)
      }
      const order = moments.map(({ id }) => hits.findIndex((h) => h.id === id))
      expect(order).toEqual([...order].sort((a, b) => a - b))
      const lastTaken = moments.length < n ? hits.length : order.at(-1)!
      for (const h of hits.slice(0, lastTaken)) {
        const isCovered = moments.some((m) => areOneMoment(m, h, gapSeconds))
        expect(isCovered || scoreOf(h) < (thresholdScore ?? -100)).toBe(true)
      }
    }),
  )
})

test('whatever the hits, a longer list only adds moments at the end', () => {
  fc.assert(
    fc.property(someHits, options, fc.nat(60), (hits, settings, cut) => {
      const short = selectMoments(hits.slice(0, cut), settings)
      expect(selectMoments(hits, settings).slice(0, short.length)).toEqual(short)
    }),
  )
})
