import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Encoder, openEncoder } from '../../src/encoder/encoder.ts'
import { loadModel } from '../../src/models/load.ts'
import type { Model } from '../../src/models/model.ts'
import { type Searched, searchWords } from '../../src/search/query.ts'
import type { Store } from '../../src/store/store.ts'
import { samplePoint, unitVector } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

let model: Model
let encoder: Encoder
let store: Store

beforeAll(async () => {
  model = await loadModel('starter')
  encoder = await openEncoder(model)
  store = arrayStore(model.dimension)
  await store.upsert(Array.from({ length: 50 }, (_, i) => samplePoint(i, { vector: unitVector(i, model.dimension) })))
})
afterAll(() => encoder.close())

const searched = (): Searched => ({ model, existing: () => store, encoder: async () => encoder })

const options = { threshold: -100 }

test('a query that was asked before finds the same, and another one does not', async () => {
  const first = await searchWords(searched(), 'a red car', options)
  expect(first.moments).toHaveLength(6)
  expect(first.unknown).toBe(false)
  expect(await searchWords(searched(), 'a red car', options)).toEqual(first)
  expect((await searchWords(searched(), 'a blue car', options)).bestScore).not.toBe(first.bestScore)
})

test('a query of which the model knows no word says so each time', async () => {
  const told: string[] = []
  for (const query of ['🐈', '🐈', 'a cat']) {
    const found = await searchWords(searched(), query, { ...options, onUnknown: (words) => told.push(words) })
    expect(found.unknown).toBe(query === '🐈')
  }
  expect(told).toEqual(['🐈', '🐈'])
})

test('a query that is longer than the model reads says so each time', async () => {
  const long = 'a very long walk '.repeat(60)
  const told: string[] = []
  const ask = (where: Searched) => searchWords(where, long, { ...options, onTruncated: (query) => told.push(query) })
  for (const where of [searched(), searched()]) await ask(where)
  expect(told).toEqual([long, long])
})

test('a query that was broken off is asked anew', async () => {
  const here = searched()
  const words = 'a dog on a beach'
  await expect(searchWords(here, words, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
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
