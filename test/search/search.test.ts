import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { searchMoments } from '../../src/search/search.ts'
import { pointId } from '../../src/store/point.ts'
import type { Box, Point, VideoRecord } from '../../src/store/store.ts'
import { putRecord } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

const query = Float32Array.of(1, 0)
const box: Box = [0, 0, 0.5, 0.5]

/** A point whose score for the query is `score`. */
const point = (video: string, t: number, score: number, { patch = 0, until = t } = {}): Point => {
  const x = score / 100
  const vector = Float32Array.of(x, Math.sqrt(1 - x * x))
  return { id: pointId(video, 'test', t, patch), video, path: `/old/${video}.mp4`, t, until, patch, box, vector }
}

const record = (video: string, ...paths: string[]): VideoRecord => ({
  video,
  files: paths.map((path) => ({ path, bytes: 1, modifiedMs: 0 })),
  status: 'complete',
  frames: 1,
  points: 1,
  model: 'test',
  settings: '',
  indexedAt: '2026-01-01T00:00:00Z',
})

const storeWith = async (points: Point[], records: VideoRecord[] = []) => {
  const store = arrayStore(2)
  await store.upsert(points)
  for (const r of records) await putRecord(store, r)
  return store
}

/** 19 patches of one frame, one static scene: they fill the first sixty hits and more. */
const staticVideo = (seconds: number, score: number): Point[] =>
  Array.from({ length: seconds * 19 }, (_, i) =>
    point('still', Math.floor(i / 19), score - (i % 19) / 100, { patch: i % 19, until: seconds }),
  )

describe('searching for moments', () => {
  test('gives rank, path, video, times, score, patch and box, and nothing else', async () => {
    const store = await storeWith([point('v', 2, 60, { patch: 3, until: 5 })], [record('v', '/new/v.mp4')])
    const { moments, bestScore } = await searchMoments({ store, vector: query })
    const score = expect.closeTo(60, 4)
    expect(moments).toEqual([{ rank: 1, path: '/new/v.mp4', video: 'v', t: 2, until: 5, score, patch: 3, box }])
    expect(bestScore).toEqual(score)
  })

  test('asks for ten hits a moment, once, when those suffice', async () => {
    const store = await storeWith(Array.from({ length: 300 }, (_, i) => point('v', i, 90 - i / 10)))
    const { moments } = await searchMoments({ store, vector: query, n: 3 })
    expect(moments.map(({ rank, t }) => [rank, t])).toEqual([1, 2, 3].map((rank) => [rank, rank - 1]))
    expect(store.limits).toEqual([30])
  })

  test('asks on when one static video fills the first hits, so that the others are found', async () => {
    const others = ['a', 'b', 'c', 'd', 'e'].map((video, i) => point(video, 7, 50 - i))
    const store = await storeWith([...staticVideo(100, 80), ...others])
    const { moments } = await searchMoments({ store, vector: query })
    expect(moments.map(({ video }) => video)).toEqual(['still', 'a', 'b', 'c', 'd', 'e'])
    expect(store.limits).toEqual([60, 240, 960, 3840])
  })

  test('stops asking when the threshold is reached', async () => {
    const store = await storeWith([...staticVideo(10, 80), ...Array.from({ length: 500 }, (_, i) => point('v', i, 10))])
    const { moments } = await searchMoments({ store, vector: query, thresholdScore: 50 })
    expect(moments.map(({ video }) => video)).toEqual(['still'])
    expect(store.limits).toEqual([60, 240])
  })

  test('ends with what there is when the store has no more', async () => {
    const store = await storeWith(staticVideo(20, 80))
    const { moments } = await searchMoments({ store, vector: query })
    expect(moments).toHaveLength(1)
    expect(store.limits).toEqual([60, 240, 960])
  })

  test('names the best score although nothing reaches the threshold', async () => {
    const store = await storeWith([point('v', 1, 20), point('v', 9, 30)])
    expect(await searchMoments({ store, vector: query, thresholdScore: 40 })).toEqual({
      moments: [],
      bestScore: expect.closeTo(30, 4),
    })
  })

  test('has no best score where nothing was stored', async () => {
    expect(await searchMoments({ store: arrayStore(2), vector: query })).toEqual({ moments: [], bestScore: undefined })
  })

  test('hands the filter to the store', async () => {
    const store = await storeWith([point('v', 1, 60), point('v', 5, 50), point('v', 9, 40), point('w', 5, 45)])
    const filter = { videos: ['v'], afterSeconds: 2, beforeSeconds: 6 }
    const { moments } = await searchMoments({ store, vector: query, filter })
    expect(moments.map(({ video, t }) => [video, t])).toEqual([['v', 5]])
  })

  test('answers with the path that was asked for when a video lies in several places', async () => {
    const store = await storeWith([point('v', 1, 60)], [record('v', '/a/v.mp4', '/b/v.mp4')])
    const pathWith = async (paths?: ReadonlyMap<string, string>) =>
      (await searchMoments({ store, vector: query, paths })).moments.map(({ path }) => path)
    expect(await pathWith()).toEqual(['/a/v.mp4'])
    expect(await pathWith(new Map([['v', '/b/v.mp4']]))).toEqual(['/b/v.mp4'])
    expect(await pathWith(new Map([['w', '/b/w.mp4']]))).toEqual([])
    expect(await pathWith(new Map())).toEqual([])
  })

  test('falls back on the path at the point while a video has no record yet', async () => {
    const { moments } = await searchMoments({ store: await storeWith([point('v', 1, 60)]), vector: query })
    expect(moments[0]?.path).toBe('/old/v.mp4')
  })

  test('ends with the reason of the signal', async () => {
    const store = await storeWith([point('v', 1, 60)])
    const controller = new AbortController()
    const stopping = {
      ...store,
      search: (...args: Parameters<typeof store.search>) => {
        controller.abort(new Error('enough'))
        return store.search(...args)
      },
    }
    await expect(searchMoments({ store: stopping, vector: query, signal: controller.signal })).rejects.toThrow('enough')
  })

  test.each([
    { n: 0 },
    { n: 1.5 },
    { n: Number.NaN },
    { gapSeconds: -1 },
    { gapSeconds: Number.NaN },
    { thresholdScore: 101 },
    { thresholdScore: Number.NaN },
  ])('refuses %o', async (options) => {
    await expect(searchMoments({ store: arrayStore(2), vector: query, ...options })).rejects.toThrow(UsageError)
  })
})

test('whatever is stored, asking in steps finds what one look at everything finds', async () => {
  const points = fc.array(
    fc.record({
      video: fc.constantFrom('a', 'b'),
      t: fc.nat(6),
      patch: fc.nat(9),
      score: fc.integer({ min: 0, max: 99 }),
    }),
    { maxLength: 120 },
  )
  await fc.assert(
    fc.asyncProperty(points, fc.integer({ min: 1, max: 4 }), fc.nat(99), async (specs, n, thresholdScore) => {
      const store = await storeWith(specs.map(({ video, t, score, patch }) => point(video, t, score, { patch })))
      const everything = await store.search(query, { limit: 1000 })
      const best = new Map<string, number>()
      for (const { video, t, similarity } of everything) {
        if (!best.has(`${video}${t}`)) best.set(`${video}${t}`, 100 * similarity)
      }
      const expected = [...best].filter(([, score]) => score >= thresholdScore).slice(0, n)
      const { moments } = await searchMoments({ store, vector: query, n, thresholdScore })
      expect(moments.map(({ video, t, score }) => [`${video}${t}`, score])).toEqual(expected)
    }),
  )
})
