import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Encoder } from '../../src/encoder/encoder.ts'
import { openEncoder } from '../../src/encoder/open.ts'
import { openTextCache } from '../../src/encoder/textCache.ts'
import { loadModel } from '../../src/models/load.ts'
import type { Model } from '../../src/models/model.ts'
import { type Searched, searchWords } from '../../src/search/query.ts'
import type { Store } from '../../src/store/store.ts'
import { samplePoint, unitVector } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

let folder: string
let model: Model
let encoder: Encoder
let store: Store

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vidgrep-query-'))
  model = await loadModel('starter')
  encoder = await openEncoder(model)
  store = arrayStore(model.dimension)
  await store.upsert(Array.from({ length: 50 }, (_, i) => samplePoint(i, { vector: unitVector(i, model.dimension) })))
})
afterAll(async () => {
  await encoder.close()
  await rm(folder, { recursive: true, force: true })
})

/** A process of its own, as it were: only the files are shared. */
const searched = () => {
  let starts = 0
  const parts: Searched = {
    model,
    texts: openTextCache(model, { folder }),
    existing: () => store,
    encoder: async () => {
      starts++
      return encoder
    },
  }
  return { ...parts, starts: () => starts }
}

const options = { threshold: -100 }

test('a query that was asked before finds the same without the text tower, also in another process', async () => {
  const [here, there] = [searched(), searched()]
  const first = await searchWords(here, 'a red car', options)
  expect(here.starts()).toBe(1)
  expect(first.moments).toHaveLength(6)
  expect(await searchWords(here, 'a red car', options)).toEqual(first)
  expect(here.starts()).toBe(1)
  expect(await searchWords(there, 'a red car', options)).toEqual(first)
  expect(there.starts()).toBe(0)
  expect((await searchWords(there, 'a blue car', options)).bestScore).not.toBe(first.bestScore)
  expect(there.starts()).toBe(1)
})

test('a query that is longer than the model reads says so each time', async () => {
  const long = 'a very long walk '.repeat(60)
  const told: string[] = []
  const ask = (where: Searched) => searchWords(where, long, { ...options, onTruncated: (query) => told.push(query) })
  const here = searched()
  for (const where of [here, here, searched()]) await ask(where)
  expect(told).toEqual([long, long, long])
})

test('a query that was broken off is asked anew', async () => {
  const here = searched()
  const words = 'a dog on a beach'
  await expect(searchWords(here, words, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  expect(await here.texts.get(words)).toBeUndefined()
  expect((await searchWords(here, words, options)).moments).toHaveLength(6)
})

test('the store gets ready while the words are encoded', async () => {
  const order: string[] = []
  const slow: Searched = {
    ...searched(),
    existing: () => ({
      ...store,
      warmUp: async () => void order.push('store gets ready'),
      search: (...asked) => {
        order.push('store is searched')
        return store.search(...asked)
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
  await searchWords(slow, 'a horse', options)
  expect(order).toEqual(['encoder starts', 'store gets ready', 'words are encoded', 'store is searched'])
})
