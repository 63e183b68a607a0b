import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Encoder, openEncoder } from '../../src/encoder/encoder.ts'
import { openTokenizer } from '../../src/encoder/worker/tokenizer.ts'
import { loadModel } from '../../src/models/load.ts'

type Golden = {
  texts: { text: string; ids: number[]; embedding: number[] }[]
  pictures: { file: string; embedding: number[] }[]
}

const folder = join(import.meta.dirname, '../reference/starter')
const golden: Golden = JSON.parse(await readFile(join(folder, 'golden.json'), 'utf8'))
const model = await loadModel('starter')

const cosine = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) => Array.from(x).reduce((sum, v, i) => sum + v * y[i]!, 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

let encoder: Encoder
beforeAll(async () => {
  encoder = await openEncoder(model)
})
afterAll(() => encoder.close())

/** By another scaler than the reference's: that costs a little. */
const pixelsOf = (file: string): Promise<Uint8Array> =>
  sharp(join(folder, file))
    .flatten({ background: 'white' })
    .resize(model.image.size, model.image.size, { fit: 'fill', kernel: 'cubic' })
    .toColourspace('srgb')
    .raw()
    .toBuffer()

describe('the carried model', () => {
  test('splits the golden texts into the golden ids', async () => {
    const tokenize = await openTokenizer(model.text)
    expect(golden.texts.map(({ text }) => tokenize(text).ids)).toEqual(golden.texts.map(({ ids }) => ids))
  })

  // Where a processor has AVX-512 VNNI they reach 0.9999: others round the 8-bit weights' products elsewhere.
  test('encodes the golden texts to cosine 0.999', async () => {
    const embeddings = await encoder.encodeTexts(golden.texts.map(({ text }) => text))
    const cosines = golden.texts.map(({ embedding }, i) => cosine(embedding, embeddings[i]!))
    expect(golden.texts).toHaveLength(19)
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.999)
  })

  test('encodes the golden pictures to cosine 0.995, scaled by sharp', async () => {
    const pictures = await Promise.all(golden.pictures.map(({ file }) => pixelsOf(file)))
    const embeddings = await encoder.encodePictures(Buffer.concat(pictures))
    const cosines = golden.pictures.map(({ embedding }, i) => cosine(embedding, embeddings[i]!))
    expect(golden.pictures).toHaveLength(7)
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.995)
  })

  test('gives unit vectors of its dimension, each with memory of its own', async () => {
    const embeddings = [
      ...(await encoder.encodeTexts(['a dog', 'x'])),
      ...(await encoder.encodePictures(await pixelsOf('golden/cat.png'))),
    ]
    for (const embedding of embeddings) {
      expect(embedding).toHaveLength(model.dimension)
      expect(embedding.buffer.byteLength).toBe(model.dimension * 4)
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5)
    }
  })

  test('says which texts were longer than its context', async () => {
    const told: string[] = []
    const long = 'a very long description '.repeat(30)
    await encoder.encodeTexts(['a dog', long, 'a cat'], { onTruncated: (text) => told.push(text) })
    expect(told).toEqual([long])
  })

  test('finds the right picture for a text', async () => {
    const pictures = await encoder.encodePictures(
      Buffer.concat([await pixelsOf('golden/cat.png'), await pixelsOf('golden/astronaut.png')]),
    )
    const [text] = await encoder.encodeTexts(['an astronaut in an orange suit'])
    expect(cosine(text!, pictures[1]!)).toBeGreaterThan(cosine(text!, pictures[0]!) + 0.1)
  })
})
