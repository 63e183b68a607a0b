import { expect, test } from 'vitest'
import { findDistinct } from '../../src/search/repeats.ts'
import { pointId } from '../../src/store/point.ts'
import { arrayStore } from './array-store.ts'

/** The query's direction, and others. */
const axis = (i: number): Float32Array => Float32Array.from({ length: 24 }, (_, at) => (at === i ? 1 : 0))

/** Scores so much for the query; what has another `kind` shows something else. */
const seen = (score: number, kind: number): Float32Array => {
  const [x, y] = [score / 100, Math.sqrt(1 - (score / 100) ** 2)]
  return axis(0).map((each, i) => x * each + y * axis(kind)[i]!)
}

const find = async (
  n: number,
  places: readonly (readonly [video: string, t: number, score: number, kind: number])[],
) => {
  const store = arrayStore(24)
  for (const [video, t, score, kind] of places) {
    const at = {
      id: pointId(video, 'm', t, 0),
      video,
      path: `/${video}`,
      t,
      until: t,
      patch: 0,
      box: [0, 0, 1, 1] as const,
    }
    await store.upsert([{ ...at, vector: seen(score, kind) }])
  }
  const found = await findDistinct({ store, vector: axis(0), n, backgroundScore: 0, sameFrame: 0.8 })
  return found.map(({ video, peak, repeats = [] }) => [`${video} ${peak.t}`, ...repeats.map((repeat) => repeat.peak.t)])
}

const places = [
  ['a', 0, 50, 1],
  ['a', 100, 49, 1],
  ['a', 200, 48, 1],
  ['b', 0, 47, 1],
  ['a', 300, 40, 2],
  ['a', 400, 30, 3],
] as const

test('what shows the same as a better moment of its video is named with it, and another one takes its place', async () => {
  expect(await find(3, places)).toEqual([['a 0', 100, 200], ['b 0'], ['a 300']])
  expect(await find(4, places)).toEqual([['a 0', 100, 200], ['b 0'], ['a 300'], ['a 400']])
})

test('where there is nothing else, repeats are moments of their own, the best ones first', async () => {
  expect(await find(5, places)).toEqual([['a 0', 200], ['a 100'], ['b 0'], ['a 300'], ['a 400']])
  expect(await find(9, places)).toEqual([['a 0'], ['a 100'], ['a 200'], ['b 0'], ['a 300'], ['a 400']])
  expect(await find(1, places)).toEqual([['a 0', 100]])
})
