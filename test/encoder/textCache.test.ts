import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTextCache, type TextCacheOptions } from '../../src/encoder/textCache.ts'
import { loadModel } from '../../src/models/load.ts'
import type { Model } from '../../src/models/model.ts'
import { unitVector } from '../store/samples.ts'

let root: string
let model: Model
let made = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'vidgrep-text-cache-'))
  model = await loadModel('starter')
})
afterAll(() => rm(root, { recursive: true, force: true }))

const freshFolder = () => join(root, `queries ${++made}`)
const embedding = (seed: number, truncated = false) => ({ vector: unitVector(seed, model.dimension), truncated })
/** As another process sees it: nothing in memory. */
const anew = (folder: string, options: TextCacheOptions & { readonly of?: Model } = {}) =>
  openTextCache(options.of ?? model, { folder, ...options })

describe('embeddings of texts', () => {
  test('are found again by the exact text, in this process and in the next', async () => {
    const folder = freshFolder()
    const cache = anew(folder)
    expect(await cache.get('a red car')).toBeUndefined()
    await cache.put('a red car', embedding(1))
    await cache.put('ein rotes Auto 🚗', embedding(2, true))
    for (const each of [cache, anew(folder)]) {
      expect(await each.get('a red car')).toEqual(embedding(1))
      expect(await each.get('ein rotes Auto 🚗')).toEqual(embedding(2, true))
      expect(await each.get('a red car ')).toBeUndefined()
      expect(await each.get('A red car')).toBeUndefined()
    }
  })

  test('never come from another model, tower, context length or device', async () => {
    const folder = freshFolder()
    await anew(folder).put('a red car', embedding(1))
    const copy = join(root, 'text-copy.onnx')
    await writeFile(copy, 'other weights')
    const others: Model[] = [
      { ...model, id: 'another-1' },
      { ...model, dimension: 383 },
      { ...model, text: { ...model.text, file: copy } },
      { ...model, text: { ...model.text, maxTokens: 8 } },
    ]
    for (const of of others) expect(await anew(folder, { of }).get('a red car')).toBeUndefined()
    expect(await anew(folder, { device: 'cuda' }).get('a red car')).toBeUndefined()
    expect(await anew(folder).get('a red car')).toEqual(embedding(1))
  })

  test('are computed anew when the file of the tower was changed', async () => {
    const [folder, file] = [freshFolder(), join(root, 'changing.onnx')]
    const of = { ...model, text: { ...model.text, file } }
    await writeFile(file, 'some weights')
    await anew(folder, { of }).put('a red car', embedding(1))
    expect(await anew(folder, { of }).get('a red car')).toEqual(embedding(1))
    await utimes(file, 1, 1)
    expect(await anew(folder, { of }).get('a red car')).toBeUndefined()
  })
})

describe('the files', () => {
  test('do not hold the text', async () => {
    const folder = freshFolder()
    await anew(folder).put('a secret wish', embedding(1))
    const [name] = await readdir(folder)
    expect(name).not.toContain('secret')
    expect((await readFile(join(folder, name!))).includes('secret')).toBe(false)
  })

  test('are as good as missing when they are torn, empty, damaged or of another text, and are written again', async () => {
    const folder = freshFolder()
    await anew(folder).put('a red car', embedding(1))
    const file = join(folder, (await readdir(folder))[0]!)
    const bytes = await readFile(file)
    const flipped = Buffer.from(bytes)
    flipped[100]! ^= 1
    await anew(folder).put('a dog', embedding(2))
    const other = (await readdir(folder)).map((name) => join(folder, name)).find((path) => path !== file)!
    for (const damaged of [bytes.subarray(0, 700), Buffer.alloc(0), flipped, await readFile(other)]) {
      await writeFile(file, damaged)
      expect(await anew(folder).get('a red car')).toBeUndefined()
      await anew(folder).put('a red car', embedding(1))
      expect(await anew(folder).get('a red car')).toEqual(embedding(1))
    }
  })

  test('stay within their number: those used longest ago go', async () => {
    const folder = freshFolder()
    const cache = anew(folder, { mostFiles: 10 })
    for (let i = 0; i < 10; i++) await cache.put(`text ${i}`, embedding(i))
    for (const name of await readdir(folder)) await utimes(join(folder, name), 1000, 1000)
    expect(await anew(folder).get('text 0')).toEqual(embedding(0))
    await cache.put('text 10', embedding(10))
    expect((await readdir(folder)).length).toBe(9)
    expect(await anew(folder).get('text 0')).toEqual(embedding(0))
    expect(await anew(folder).get('text 10')).toEqual(embedding(10))
  })

  test('may be out of reach: memory does without them', async () => {
    const file = join(root, 'a file')
    await writeFile(file, '')
    for (const folder of [file, join(file, 'below')]) {
      const cache = anew(folder)
      await cache.put('a red car', embedding(1))
      expect(await cache.get('a red car')).toEqual(embedding(1))
      expect(await anew(folder).get('a red car')).toBeUndefined()
    }
  })

  test('are whole whatever several write at once', async () => {
    const folder = freshFolder()
    await mkdir(folder)
    const caches = Array.from({ length: 4 }, () => anew(folder))
    await Promise.all(caches.flatMap((cache) => [1, 2, 3].map((seed) => cache.put(`text ${seed}`, embedding(seed)))))
    expect((await readdir(folder)).length).toBe(3)
    for (const seed of [1, 2, 3]) expect(await anew(folder).get(`text ${seed}`)).toEqual(embedding(seed))
  })
})

describe('the memory', () => {
  test('forgets what was used longest ago', async () => {
    const folder = freshFolder()
    const cache = anew(folder, { mostInMemory: 2 })
    for (const seed of [1, 2]) await cache.put(`text ${seed}`, embedding(seed))
    await cache.get('text 1')
    await cache.put('text 3', embedding(3))
    await rm(folder, { recursive: true })
    expect(await cache.get('text 1')).toEqual(embedding(1))
    expect(await cache.get('text 2')).toBeUndefined()
    expect(await cache.get('text 3')).toEqual(embedding(3))
  })
})
