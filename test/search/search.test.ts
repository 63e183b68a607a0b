import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Encoder, openEncoder } from '../../src/encoder/encoder.ts'
import { UsageError } from '../../src/errors.ts'
import { loadModel } from '../../src/models/load.ts'
import type { Model } from '../../src/models/model.ts'
import { explain } from '../../src/search/explain.ts'
import type { SearchOptions } from '../../src/search/options.ts'
import { type Searched, search } from '../../src/search/search.ts'
import { quantised } from '../../src/store/profile.ts'
import type { Store } from '../../src/store/store.ts'
import { putRecord, samplePoint, sampleRecord, unitVector } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

const words = 'a red car'
let model: Model
let encoder: Encoder
/** What the words mean, and another direction. */
let query: Float32Array
let other: Float32Array

beforeAll(async () => {
  model = await loadModel('starter')
  encoder = await openEncoder(model)
  ;[query] = (await encoder.encodeTexts([words])) as [Float32Array]
  const random = unitVector(1, model.dimension)
  const along = random.reduce((sum, x, i) => sum + x * query[i]!, 0)
  const across = random.map((x, i) => x - along * query[i]!)
  const length = Math.hypot(...across)
  other = across.map((x) => x / length)
})
afterAll(() => encoder.close())

/** A point that scores so much for the words. */
const point = (video: string, t: number, score: number) => {
  const [x, y] = [score / 100, Math.sqrt(1 - (score / 100) ** 2)]
  const vector = query.map((each, i) => x * each + y * other[i]!)
  return samplePoint(t + 100 * video.charCodeAt(0), { video, path: `/old/${video}.mp4`, t, until: t, vector })
}

/** Captions that reach 0, 10, … 40 at best. */
const profile = () => ({
  captions: quantised(Float32Array.of(0, 0.1, 0.2, 0.3, 0.4)),
  mean: quantised(new Float32Array(model.dimension)),
})
const place = (path: string) => ({ path, bytes: 1, modifiedMs: 0 })

let store: Store & { readonly limits: number[] }
let searched: Searched
beforeEach(async () => {
  store = arrayStore(model.dimension)
  searched = { model, existing: () => store, encoder: async () => encoder }
  await store.upsert([point('a', 5, 60), point('b', 6, 35), point('c', 7, 20)])
  for (const video of ['a', 'b', 'c']) {
    await putRecord(store, sampleRecord(video, { files: [place(`/new/${video}.mp4`)], profile: profile() }))
  }
})

const ask = (options?: SearchOptions) => search(searched, words, options)

describe('a search', () => {
  test('gives moments with their likelihood, what counts as likely, and the best score', async () => {
    const { moments, ...rest } = await ask()
    expect(rest).toEqual({
      query: words,
      model: model.id,
      collection: store.collection.name,
      bestScore: expect.closeTo(60, 3),
      cutoff: expect.closeTo(30, 0),
      unknown: false,
    })
    const { box, patch } = point('a', 5, 60)
    const where = { rank: 1, path: '/new/a.mp4', video: 'a', t: 5, from: 5, to: 5, box, patch }
    expect(moments[0]).toEqual({ ...where, score: expect.closeTo(60, 3), likelihood: 1, likely: true, hits: 1 })
    expect(moments.map(({ likely }) => likely)).toEqual([true, true, false])
    expect(moments[1]!.likelihood).toBeCloseTo(0.875, 1)
    expect(moments[2]!.likelihood).toBeCloseTo(0.5, 1)
  })

  test('names copies with the best of them, and shows others in their places', async () => {
    const copies = [{ video: 'b', from: 3, to: 6, offsetSeconds: 1 }]
    await putRecord(
      store,
      sampleRecord('a', { files: ['/new/a.mp4', '/again.mp4'].map(place), profile: profile(), copies }),
    )
    const { moments } = await ask({ n: 2 })
    expect(moments).toMatchObject([
      { video: 'a', rank: 1 },
      { video: 'c', rank: 2 },
    ])
    expect(moments[0]!.also).toEqual([
      { path: '/again.mp4', video: 'a', t: 5 },
      { path: '/new/b.mp4', video: 'b', t: 6 },
    ])
    expect(moments[1]).not.toHaveProperty('also')
    expect((await ask({ n: 2, copies: true })).moments.map(({ video }) => video)).toEqual(['a', 'b'])
    expect((await ask({ n: 2, paths: ['b.mp4'] })).moments).toMatchObject([{ video: 'b', also: [{ t: 5 }, { t: 5 }] }])
    const together = await ask({ n: 2, filter: 'article', threshold: 0 })
    expect(together.moments.map(({ video }) => video)).toEqual(['a', 'b'])
  })

  test('is explained for a place: how well it fits, its rank, and what keeps it out', async () => {
    const why = (video: string, t: number, options?: SearchOptions) => explain(searched, words, { video, t }, options)
    const { box, patch } = point('a', 5, 60)
    expect(await why('a', 5)).toEqual({
      ...{ query: words, path: '/new/a.mp4', video: 'a', t: 5, verdict: 'shown', rank: 1, likelihood: 1 },
      best: { t: 5, until: 5, patch, box },
      score: expect.closeTo(60, 3),
      cutoff: expect.closeTo(30, 0),
      moment: expect.objectContaining({ video: 'a', rank: 1 }),
    })
    expect(await why('c', 7)).toMatchObject({ verdict: 'weak', rank: 3, score: expect.closeTo(20, 3) })
    expect(await why('b', 6, { n: 1 })).toMatchObject({ verdict: 'ranked-lower', rank: 2 })
    expect(await why('b', 6, { paths: ['a.mp4'] })).toMatchObject({ verdict: 'filtered', moment: undefined })
    expect(await why('a', 6.5)).toMatchObject({ verdict: 'not-sampled', best: { t: 5 } })
    expect(await why('a', 500)).toMatchObject({ verdict: 'not-sampled', best: undefined, score: undefined })
    const copies = [{ video: 'b', from: 3, to: 6, offsetSeconds: 1 }]
    await putRecord(store, sampleRecord('a', { files: [place('/new/a.mp4')], profile: profile(), copies }))
    expect(await why('b', 6, { paths: ['*.mp4'] })).toMatchObject({ verdict: 'copy', moment: { video: 'a' } })
    expect(await why('b', 6, { threshold: 40, copies: true })).toMatchObject({ verdict: 'filtered' })
  })

  test('is explained for several phrases by what they score together', async () => {
    const phrases = `"${words}" + "a bus" - "a dog"`
    const [best, second] = (await search(searched, phrases)).moments
    const { video, t, score } = second!
    expect(await explain(searched, phrases, { video, t }, { n: 1 })).toMatchObject({
      ...{ rank: 2, score: expect.closeTo(score, 6), best: { t } },
      verdict: second!.likely ? 'ranked-lower' : 'weak',
    })
    expect(best!.score).toBeGreaterThan(score)
    await expect(explain(searched, '"a" > "b"', { video: 'a', t: 5 })).rejects.toThrow('in order')
  })

  test('is stricter, and leaves out what is weak, when told so', async () => {
    expect((await ask({ strictness: 1 })).moments.map(({ likely }) => likely)).toEqual([true, false, false])
    expect((await ask({ likely: true })).moments).toHaveLength(2)
    expect((await ask({ likely: true, strictness: 0 })).moments).toHaveLength(3)
    expect((await ask({ threshold: 50 })).moments).toHaveLength(1)
  })

  test('names the best score although nothing reaches the threshold, and has none where nothing is stored', async () => {
    expect(await ask({ threshold: 90 })).toMatchObject({ moments: [], bestScore: expect.closeTo(60, 3) })
    store = arrayStore(model.dimension)
    expect(await ask()).toMatchObject({ moments: [], bestScore: undefined })
  })

  test('takes the model’s threshold, and no likelihood, where no video has a profile yet', async () => {
    for (const video of ['a', 'b', 'c']) await putRecord(store, sampleRecord(video))
    const { moments, cutoff } = await ask()
    expect(cutoff).toBe(model.threshold)
    expect(moments.map(({ likely, likelihood }) => [likely, likelihood])).toEqual([
      [true, undefined],
      [true, undefined],
      [false, undefined],
    ])
  })

  test('of some videos looks at these, shows the paths that were named and asks what is likely among them', async () => {
    const low = { ...profile(), captions: quantised(Float32Array.of(0, 0.1)) }
    await putRecord(store, sampleRecord('c', { files: ['/x/c.mp4', '/y/c.mp4'].map(place), profile: low }))
    const { moments, cutoff } = await ask({ paths: ['/y/**'] })
    expect(moments).toMatchObject([{ path: '/y/c.mp4', likely: true }])
    expect(cutoff).toBeCloseTo(7.5, 1)
    expect((await ask({ paths: ['nothing.mp4'] })).moments).toEqual([])
  })

  test('with the article’s filter is one call, and has the article’s threshold', async () => {
    store.limits.length = 0
    const { moments } = await ask({ filter: 'article' })
    expect(moments.map(({ video, from, to }) => [video, from, to])).toEqual(
      [
        ['a', 5, 5],
        ['b', 6, 6],
      ].slice(0, moments.length),
    )
    expect(moments.every(({ score }) => score > 35)).toBe(true)
    expect(store.limits).toEqual([60])
    expect((await ask({ filter: 'article', threshold: 10, gapSeconds: 1 })).moments).toMatchObject([
      { video: 'a' },
      { video: 'c' },
    ])
  })

  test('falls back on the path at the point while a video has no record', async () => {
    await store.upsert([point('d', 1, 80)])
    expect((await ask({ n: 1 })).moments[0]!.path).toBe('/old/d.mp4')
  })

  test('says when the query is longer than the model reads', async () => {
    const long: string[] = []
    await search(searched, 'a very long walk '.repeat(60), { onTruncated: (text) => long.push(text) })
    expect(long).toHaveLength(1)
  })

  test('begins to encode before the store gets ready, and has both before it looks', async () => {
    const order: string[] = []
    const slow: Searched = {
      ...searched,
      existing: () => ({
        ...store,
        warmUp: async () => void order.push('store gets ready'),
        sightings: (...asked) => {
          order.push('store is searched')
          return store.sightings(...asked)
        },
      }),
      encoder: async () => {
        await setTimeout(20)
        return {
          ...encoder,
          encodeTexts: async (...asked) => {
            order.push('encoder starts')
            const vectors = await encoder.encodeTexts(...asked)
            order.push('words are encoded')
            return vectors
          },
        }
      },
    }
    await search(slow, 'a horse')
    expect(order.slice(0, 4)).toEqual(['encoder starts', 'store gets ready', 'words are encoded', 'store is searched'])
  })

  test.each<[string, SearchOptions]>([
    ['', {}],
    [' \n', {}],
    [words, { n: 0 }],
    [words, { n: 1.5 }],
    [words, { n: Number.NaN }],
    [words, { strictness: 1.1 }],
    [words, { strictness: Number.NaN }],
    [words, { threshold: 101 }],
    [words, { threshold: Number.NaN }],
    [words, { gapSeconds: 1 }],
    [words, { gapSeconds: -1, filter: 'article' }],
    [words, { filter: 'other' as 'article' }],
  ])('for %j with %o is refused before anything is loaded', async (text, options) => {
    const untouched: Searched = { model, existing: () => store, encoder: () => Promise.reject(new Error('loaded')) }
    await expect(search(untouched, text, options)).rejects.toThrow(UsageError)
    expect(store.limits).toEqual([])
  })
})
