import { beforeEach, describe, expect, test } from 'vitest'
import type { Rule } from '../../src/search/frames.ts'
import { findPhrases, type PhraseSearch } from '../../src/search/phrases.ts'
import type { Store } from '../../src/store/store.ts'
import { samplePoint } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

const dimension = 8
const axis = (i: number) => new Float32Array(dimension).fill(0).map((_, at) => (at === i ? 1 : 0))
const [dog, beach, people] = [axis(0), axis(1), axis(2)]
const phrase = (text: string, vector: Float32Array, weight = 1) => ({ text, vector, weight })
const rule = (given: Partial<Rule>): Rule => ({
  wanted: [],
  unwanted: [],
  backgroundScore: 0,
  allowedScores: [],
  ...given,
})

/** A patch that scores so much for each phrase; the rest of its length lies elsewhere. */
const patch = (video: string, t: number, number: number, scores: readonly number[], until = t) => {
  const vector = new Float32Array(dimension)
  for (const [i, score] of scores.entries()) vector[i] = score / 100
  vector[dimension - 1] = Math.sqrt(1 - vector.reduce((sum, x) => sum + x * x, 0))
  const id = video.charCodeAt(0) * 1_000_000 + t * 100 + number
  return samplePoint(id, { video, path: `/${video}.mp4`, t, until, patch: number, vector })
}

let store: Store & { readonly limits: number[] }
beforeEach(() => {
  store = arrayStore(dimension)
})

const find = (rules: readonly Rule[], options: Partial<PhraseSearch> = {}) =>
  findPhrases({ store, rules, n: 6, withinSeconds: 30, ...options })

describe('phrases together', () => {
  const both = rule({ wanted: [phrase('a dog', dog), phrase('a beach', beach)] })

  test('are found in one frame, each in its own patch, before frames that show one of them well', async () => {
    await store.upsert([
      patch('a', 5, 1, [60, 0]),
      patch('a', 5, 2, [0, 50]),
      patch('b', 5, 1, [90, 5]),
      patch('c', 5, 1, [5, 90]),
      // Both, but not at once.
      patch('d', 5, 1, [80, 0]),
      patch('d', 9, 1, [0, 80]),
    ])
    const [first] = await find([both])
    expect(first).toMatchObject({ video: 'a', from: 5, to: 5, peak: { t: 5, patch: 1 } })
    expect(first!.peak.similarity).toBeCloseTo(0.55)
    expect(first!.weakestScore).toBeCloseTo(50)
    expect(first!.parts.map(({ text, hit }) => [text, hit.patch, Math.round(100 * hit.similarity)])).toEqual([
      ['a dog', 1, 60],
      ['a beach', 2, 50],
    ])
  })

  test('are found where one of them stands still, and was stored much earlier', async () => {
    await store.upsert([
      patch('a', 0, 1, [60, 0], 3000),
      patch('a', 2000, 2, [0, 50], 2003),
      patch('a', 2500, 2, [0, 5]),
    ])
    expect((await find([both], { n: 1 }))[0]).toMatchObject({ video: 'a', from: 2000, to: 2003 })
  })

  test('count as much as they weigh', async () => {
    await store.upsert([patch('a', 1, 1, [60, 30]), patch('b', 1, 1, [30, 60])])
    const heavy = rule({ wanted: [phrase('a dog', dog), phrase('a beach', beach, 3)] })
    expect((await find([heavy])).map(({ video }) => video)).toEqual(['b', 'a'])
  })

  test('are n moments in counted calls, however many better hits of one phrase come first', async () => {
    const lone = Array.from({ length: 1000 }, (_, i) => patch('x', i * 5, 1, [80 - i / 1000, 0]))
    const wanted = Array.from({ length: 8 }, (_, i) => [
      patch('y', i * 100, 1, [55 + i, 0]),
      patch('y', i * 100, 2, [0, 70]),
    ]).flat()
    await store.upsert([...lone, ...wanted])
    store.limits.length = 0
    const found = await find([both], { n: 6 })
    expect(found.map(({ video, peak }) => [video, peak.t])).toEqual([7, 6, 5, 4, 3, 2].map((i) => ['y', i * 100]))
    expect(store.limits.length).toBeLessThan(40)
  })

  test('keep to the filter', async () => {
    await store.upsert([patch('a', 5, 1, [60, 60]), patch('a', 50, 1, [50, 50]), patch('b', 50, 1, [60, 60])])
    const filter = { videos: ['a'], afterSeconds: 20, beforeSeconds: 60 }
    expect((await find([both], { filter })).map(({ video, from }) => [video, from])).toEqual([['a', 50]])
  })
})

describe('phrases without another', () => {
  const calm = rule({
    wanted: [phrase('a beach', beach)],
    unwanted: [phrase('people', people)],
    allowedScores: [20],
  })

  test('come last where the unwanted is seen in the frame or close to it, by what it exceeds', async () => {
    await store.upsert([patch('a', 5, 1, [0, 70, 0]), patch('a', 6, 2, [0, 0, 60]), patch('b', 5, 1, [0, 50, 15])])
    const found = await find([calm], { n: 2 })
    expect(found.map(({ video }) => video)).toEqual(['b', 'a'])
    expect(found[0]!.peak.similarity).toBeCloseTo(0.5)
    expect(found[1]!.peak.similarity).toBeCloseTo(0.7 - 0.8 * 0.4)
    expect(found[1]!.weakestScore).toBeCloseTo(70 - 0.8 * 40)
  })
})

describe('phrases in order', () => {
  const order = [rule({ wanted: [phrase('a dog', dog)] }), rule({ wanted: [phrase('a beach', beach)] })]

  test('are found with both moments, in this order and within the time', async () => {
    await store.upsert([
      patch('a', 28, 1, [60, 0]),
      patch('a', 40, 1, [0, 50]),
      // The other way round, and too far apart.
      patch('b', 10, 1, [0, 60]),
      patch('b', 20, 1, [60, 0]),
      patch('c', 10, 1, [70, 0]),
      patch('c', 50, 1, [0, 70]),
    ])
    const [first, second] = await find(order)
    expect(first).toMatchObject({ video: 'a', from: 28, to: 40 })
    expect(first!.parts.map(({ step, text, hit }) => [step, text, hit.t])).toEqual([
      [0, 'a dog', 28],
      [1, 'a beach', 40],
    ])
    expect(first!.weakestScore).toBeCloseTo(50)
    expect(second?.peak.similarity ?? 0).toBeLessThan(0.4)
    expect((await find(order, { withinSeconds: 60 }))[0]!.video).toBe('c')
  })
})
