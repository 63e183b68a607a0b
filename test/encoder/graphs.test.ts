import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openEncoder } from '../../src/encoder/encoder.ts'
import type { Model } from '../../src/models/model.ts'
import { unpackClipTokenizer } from '../clipTokenizer.ts'

const folder = await mkdtemp(join(tmpdir(), 'vidgrep-graphs-'))
afterAll(() => rm(folder, { recursive: true }))
const tokenizer = await unpackClipTokenizer(folder)

const graphs = join(import.meta.dirname, '../reference/graphs')
const expected = JSON.parse(await readFile(join(graphs, 'expected.json'), 'utf8'))

/** A model of the tiny graphs in test/reference/graphs, which make.py makes. Nothing names their tensors. */
const tiny = (image: string, text: string, padding?: number): Model => ({
  id: 'tiny-1',
  name: 'tiny',
  description: '',
  dimension: 5,
  threshold: undefined,
  licence: 'MIT',
  image: {
    file: join(graphs, `${image}.onnx`),
    size: 4,
    resize: 'squash',
    interpolation: 'bicubic',
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
  text: {
    file: join(graphs, `${text}.onnx`),
    tokenizer,
    maxTokens: 77,
    lowercase: true,
    cleaning: 'clip',
    padding,
  },
})

const pictures = Uint8Array.from({ length: 3 * 48 }, (_, i) => Math.floor(i / 48) * 37 + (i % 48) * 11)

const withModel = async <T>(model: Model, use: (encoder: Awaited<ReturnType<typeof openEncoder>>) => Promise<T>) => {
  const encoder = await openEncoder(model, { batchSize: 2 })
  try {
    return await use(encoder)
  } finally {
    await encoder.close()
  }
}

const expectNear = (found: readonly Float32Array[], wanted: number[][]) => {
  expect(found).toHaveLength(wanted.length)
  const differences = wanted.flatMap((row, i) => row.map((value, k) => Math.abs(value - found[i]![k]!)))
  expect(differences).toHaveLength(wanted.length * 5)
  expect(Math.max(...differences)).toBeLessThan(1e-5)
}

describe('pictures', () => {
  test.each([
    ['image-hub', 'any batch, not normalised'],
    ['image-fixed', 'one picture at a time'],
    ['image-bare', 'no batch axis'],
    ['image-bytes', '8-bit pixels, normalised inside'],
  ])('give the same embeddings from %s (%s)', async (graph) => {
    await withModel(tiny(graph, 'text-hub'), async (encoder) => {
      expectNear(await encoder.encodePictures(pictures), expected.pictures)
    })
  })

  test('of another size than the graph takes are refused with what it takes', async () => {
    const model = tiny('image-hub', 'text-hub')
    const wrong = { ...model, image: { ...model.image, size: 8 } }
    await withModel(wrong, async (encoder) => {
      await expect(encoder.encodePictures(new Uint8Array(8 * 8 * 3))).rejects.toMatchObject({
        code: 'model-unreadable',
        message: expect.stringContaining('"pixel_values" (float32 [batch, 3, 4, 4])'),
      })
    })
  })
})

test('half precision in and out gives nearly the same embeddings', async () => {
  await withModel(tiny('image-half', 'text-hub'), async (encoder) => {
    for (const [i, row] of (await encoder.encodePictures(pictures)).entries()) {
      const cosine = row.reduce((sum, value, k) => sum + value * expected.pictures[i][k], 0)
      expect(cosine).toBeGreaterThan(0.99999)
      expect(cosine).toBeLessThan(1 - 1e-9)
    }
  })
})

describe('texts', () => {
  test.each([
    ['text-hub', 'int64, any length', undefined, 'unpadded'],
    ['text-hub', 'int64, filled up', 0, 'padded'],
    ['text-hub-mask', 'int64 with a mask, any length', undefined, 'unpadded'],
    ['text-hub-mask', 'int64 with a mask, filled up', 0, 'unpadded'],
    ['text-fixed', 'int32, always 77', 0, 'padded'],
    ['text-bare', 'int32, no batch axis', 0, 'padded'],
  ])('run through %s (%s, padding %s)', async (graph, _, padding, which) => {
    await withModel(tiny('image-hub', graph, padding), async (encoder) => {
      expectNear(await encoder.encodeTexts([expected.text, 'a dog', expected.text]).then((all) => [all[0]!, all[2]!]), [
        expected[which],
        expected[which],
      ])
    })
  })

  test('for a graph of fixed length need a padding', async () => {
    await withModel(tiny('image-hub', 'text-fixed'), async (encoder) => {
      await expect(encoder.encodeTexts(['a dog'])).rejects.toThrow(/text\.padding/)
    })
  })

  test('for a graph that is shorter than the description says are refused', async () => {
    const model = tiny('image-hub', 'text-fixed', 0)
    await withModel({ ...model, text: { ...model.text, maxTokens: 78 } }, async (encoder) => {
      await expect(encoder.encodeTexts(['a dog'])).rejects.toThrow(/at most 77/)
    })
  })
})

test('a graph that is no text tower is refused with what it has', async () => {
  await withModel(tiny('image-hub', 'image-hub'), async (encoder) => {
    await expect(encoder.encodeTexts(['a dog'])).rejects.toThrow(/int64 or int32.*pixel_values/)
  })
})
