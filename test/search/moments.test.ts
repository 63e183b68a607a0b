import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findMoments, type MomentSearch } from '../../src/search/moments.ts'
import { stepSecondsOf } from '../../src/search/timeline.ts'
import { pointId } from '../../src/store/point.ts'
import type { Point } from '../../src/store/store.ts'
import { sampleRecord } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

const vector = Float32Array.of(1, 0)

/** A point whose score for the query is `score`. */
const point = (video: string, t: number, score: number, { patch = 0, until = t } = {}): Point => {
  const x = score / 100
  const id = pointId(video, 'test', t, patch)
  return {
    id,
    video,
    path: `/${video}.mp4`,
    t,
    until,
    patch,
    box: [0, 0, 1, 1],
    vector: Float32Array.of(x, Math.sqrt(1 - x * x)),
  }
}

/** A frame a second with these scores. */
const frames = (video: string, ...scores: number[]): Point[] => scores.map((score, t) => point(video, t, score))

const find = async (points: readonly Point[], { n = 6, ...options }: Partial<MomentSearch> & { n?: number } = {}) => {
  const store = arrayStore(2)
  await store.upsert(points)
  const found = await findMoments({ store, vector, backgroundScore: 0, ...options }).best(n)
  return { found: found.map(({ video, from, to, peak, hits }) => [video, from, peak.t, to, hits]), calls: store.limits }
}

describe('a moment', () => {
  test('reaches as far as frames keep seven tenths of its height over the background', async () => {
    const { found } = await find(frames('v', 1, 1, 30, 40, 29, 1, 1))
    expect(found[0]).toEqual(['v', 2, 3, 4, 3])
    const higher = await find(frames('v', 21, 21, 30, 40, 35, 21, 21), { backgroundScore: 20 })
    expect(higher.found[0]).toEqual(['v', 3, 3, 4, 2])
  })

  test('goes on over one low frame, not over two', async () => {
    expect((await find(frames('v', 40, 1, 39, 1, 1, 38))).found.slice(0, 2)).toEqual([
      ['v', 0, 0, 2, 2],
      ['v', 5, 5, 5, 1],
    ])
  })

  test('takes the best patch of each frame, and counts those that fit', async () => {
    const patches = [0, 1, 2].map((patch) => point('v', 1, 20 + 10 * patch, { patch }))
    expect((await find([...patches, point('v', 0, 35)])).found[0]).toEqual(['v', 0, 1, 1, 3])
  })

  test('lasts as long as a patch that stays the same', async () => {
    expect((await find([point('v', 2, 40, { until: 60 }), point('v', 61, 39)])).found).toEqual([['v', 2, 2, 61, 2]])
  })

  test('ends 15 s from its peak', async () => {
    const scores = Array.from({ length: 60 }, (_, t) => (t === 30 ? 40 : 39))
    expect((await find(frames('v', ...scores), { n: 1 })).found).toEqual([['v', 15, 30, 45, 31]])
  })

  test('ends where a better one begins', async () => {
    const { found } = await find(frames('v', 50, 49, 30, 29, 28))
    expect(found).toEqual([
      ['v', 0, 0, 1, 2],
      ['v', 2, 2, 4, 3],
    ])
  })

  test('keeps within the times that are asked for', async () => {
    const filter = { afterSeconds: 1, beforeSeconds: 3 }
    expect((await find(frames('v', 40, 40, 41, 40, 40), { filter })).found).toEqual([['v', 1, 2, 3, 3]])
  })
})

describe('n moments', () => {
  test('are found although one static shot of 5,000 patches fills what the store gives first, in counted calls', async () => {
    const still = Array.from({ length: 5000 }, (_, i) =>
      point('still', Math.floor(i / 313), 80 - i / 1e5, { patch: i % 313 }),
    )
    const others = Array.from({ length: 8 }, (_, i) => point(`v${i}`, 7, 50 - i))
    const { found, calls } = await find([...still, ...others])
    expect(found.map(([video]) => video)).toEqual(['still', 'v0', 'v1', 'v2', 'v3', 'v4'])
    // The best sightings, twice around the one of many patches, the best sightings outside it.
    expect(calls).toEqual([1000, 2000, 8000, 1000])
  })

  test('are the same however many calls it takes', async () => {
    const patches = fc.array(
      fc.record({
        video: fc.constantFrom('a', 'b'),
        t: fc.integer({ min: 0, max: 80 }),
        patch: fc.nat(9),
        score: fc.integer({ min: 1, max: 99 }),
      }),
      { maxLength: 150 },
    )
    await fc.assert(
      fc.asyncProperty(patches, fc.integer({ min: 1, max: 5 }), async (specs, n) => {
        const points = specs.map(({ video, t, score, patch }) => point(video, t, score, { patch }))
        const { found: few, calls } = await find(points, { n })
        const { found: many } = await find(points, { n: 200 })
        expect(few.length).toBe(Math.min(n, many.length))
        expect(few.map(([video, , t]) => [video, t])).toEqual(many.slice(0, n).map(([video, , t]) => [video, t]))
        expect(calls.length).toBeLessThanOrEqual(4 * n + 2)
      }),
    )
  })

  test('are as many as there are, and stop where scores get too low', async () => {
    const points = ['a', 'b', 'c'].map((video, i) => point(video, 0, 60 - 20 * i))
    expect((await find(points)).found).toHaveLength(3)
    expect((await find(points, { leastScore: 30 })).found).toHaveLength(2)
    expect((await find([])).found).toEqual([])
  })

  test('end with the reason of the signal', async () => {
    await expect(find([], { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  })
})

describe('the step from one sampled frame to the next', () => {
  test.each([
    ['as it was asked for', 5, { settings: 'every=5 grid=levels decode=references', durationSeconds: 60, frames: 60 }],
    ['on average where every frame was taken', 0.04, { settings: 'every=0', durationSeconds: 10, frames: 250 }],
    ['on average where key frames alone were', 3, { settings: 'every=1 decode=keys', durationSeconds: 60, frames: 20 }],
    ['a second of what was not read to the end', 1, { settings: 'every=0', status: 'partial', frames: 0 } as const],
  ])('is %s', (_, seconds, record) => {
    expect(stepSecondsOf(sampleRecord('a', record))).toBeCloseTo(seconds)
  })

  test('is a second while nothing is known of the video', () => {
    expect(stepSecondsOf(undefined)).toBe(1)
  })
})
