import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EncoderError } from '../../src/encoder/channel.ts'
import { type Encoder, openEncoder } from '../../src/encoder/encoder.ts'
import { UsageError } from '../../src/errors.ts'
import { loadModel } from '../../src/models/load.ts'

const model = await loadModel('starter')
const pictureBytes = model.image.size ** 2 * 3

/** Pictures that differ, the same at each call. */
const noise = (count: number): Uint8Array => {
  let state = 1
  return Uint8Array.from({ length: count * pictureBytes }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof EncoderError ? error.code : error),
  )

describe('an open encoder', () => {
  let encoder: Encoder
  beforeAll(async () => {
    encoder = await openEncoder(model, { batchSize: 4 })
  })
  afterAll(() => encoder.close())

  test('gives a picture the same embedding whatever batch it is in', async () => {
    const pixels = noise(9)
    const together = await encoder.encodePictures(pixels)
    expect(together).toHaveLength(9)
    for (const [i, embedding] of together.entries()) {
      const [alone] = await encoder.encodePictures(pixels.subarray(i * pictureBytes, (i + 1) * pictureBytes))
      const difference = alone!.map((x, k) => Math.abs(x - embedding[k]!))
      expect(Math.max(...difference)).toBeLessThan(1e-5)
    }
  })

  test('has copied the pixels when it returns its promise', async () => {
    const pixels = noise(6)
    const expected = await encoder.encodePictures(pixels)
    const pending = encoder.encodePictures(pixels)
    pixels.fill(0)
    expect(await pending).toEqual(expected)
  })

  test('answers calls that overlap each with its own embeddings', async () => {
    const pixels = noise(6)
    const one = (i: number) => pixels.subarray(i * pictureBytes, (i + 1) * pictureBytes)
    const expected = []
    for (let i = 0; i < 6; i++) expected.push((await encoder.encodePictures(one(i)))[0])
    const [text, ...found] = await Promise.all([
      encoder.encodeTexts(['a dog']),
      ...Array.from({ length: 6 }, (_, i) => encoder.encodePictures(one(i))),
    ])
    expect(found.map(([embedding]) => embedding)).toEqual(expected)
    expect(text).toEqual(await encoder.encodeTexts(['a dog']))
  })

  test('gives nothing for nothing', async () => {
    expect(await encoder.encodePictures(new Uint8Array(0))).toEqual([])
    expect(await encoder.encodeTexts([])).toEqual([])
  })

  test('refuses pixels that are no whole number of pictures', async () => {
    expect(await codeOf(encoder.encodePictures(new Uint8Array(pictureBytes + 1)))).toBe('pixels-wrong')
  })

  test('rejects with the reason of a signal, before and while it encodes, and goes on afterwards', async () => {
    const reason = new Error('enough')
    expect(await codeOf(encoder.encodePictures(noise(1), { signal: AbortSignal.abort(reason) }))).toBe(reason)
    const warnings: unknown[] = []
    process.on('warning', (warning) => warnings.push(warning))
    const abort = new AbortController()
    const running = codeOf(encoder.encodePictures(noise(60), { signal: abort.signal }))
    const queued = codeOf(encoder.encodeTexts(['a dog'], { signal: abort.signal }))
    abort.abort(reason)
    expect(await running).toBe(reason)
    expect(await queued).toBe(reason)
    expect(await encoder.encodeTexts(['a dog'])).toHaveLength(1)
    expect(warnings).toEqual([])
  })
})

test('texts that come before the first picture leave sessions and batch as they are', async () => {
  const [first, second] = [await openEncoder(model), await openEncoder(model)]
  await first.encodeTexts(['a dog'])
  for (const encoder of [first, second]) await encoder.encodePictures(noise(1))
  expect(first.batchesAtOnce).toBe(second.batchesAtOnce)
  expect(first.batchesAtOnce).toBe(2 * availableParallelism())
  expect(first.batchSize).toBe(second.batchSize)
  await Promise.all([first.close(), second.close()])
})

test('a text that was encoded before has the same embedding, in memory of its own', async () => {
  const encoder = await openEncoder(model)
  const [[first], [again, other]] = [
    await encoder.encodeTexts(['a dog']),
    await encoder.encodeTexts(['a dog', 'a cat']),
  ]
  expect(again).toEqual(first)
  expect(other).not.toEqual(first)
  again!.fill(0)
  expect((await encoder.encodeTexts(['a dog']))[0]).toEqual(first)
  await encoder.close()
})

describe('several sessions side by side', () => {
  test('share the batches out, and answer each with its own embeddings', async () => {
    const pixels = noise(14)
    const one = await openEncoder(model, { threads: 1 })
    const expected = await one.encodePictures(pixels)
    await one.close()
    const encoder = await openEncoder(model, { threads: 3, sessions: 3, batchSize: 2 })
    const found = await encoder.encodePictures(pixels)
    const [text] = await encoder.encodeTexts(['a dog'])
    expect(text).toHaveLength(model.dimension)
    expect(encoder.batchesAtOnce).toBe(6)
    for (const [i, embedding] of found.entries()) {
      expect(Math.max(...embedding.map((x, k) => Math.abs(x - expected[i]![k]!)))).toBeLessThan(1e-5)
    }
    await encoder.close()
  })

  test('compute at the same time', async () => {
    const encoder = await openEncoder(model, { threads: 2, sessions: 2, batchSize: 4 })
    await encoder.encodePictures(noise(1))
    const pixels = noise(24)
    const before = encoder.busy.seconds
    const startedMs = performance.now()
    await encoder.encodePictures(pixels)
    const busySeconds = 2 * (encoder.busy.seconds - before)
    // One alone cannot compute for longer than the time that passes.
    expect(busySeconds).toBeGreaterThan((1.2 * (performance.now() - startedMs)) / 1000)
    await encoder.close()
  })

  test('end together, also while they load or encode', async () => {
    for (const pictures of [0, 1]) {
      const encoder = await openEncoder(model, { threads: 3, sessions: 3, batchSize: 2 })
      if (pictures > 0) await encoder.encodePictures(noise(pictures))
      const running = codeOf(encoder.encodePictures(noise(40)))
      await encoder.close()
      expect(await running).toBe('encoder-closed')
    }
  })

  test('are refused together where the model is damaged, and texts still work', async () => {
    const wrong = { ...model, image: { ...model.image, output: 'nothing' } }
    const encoder = await openEncoder(wrong, { threads: 2, sessions: 2 })
    expect(await codeOf(encoder.encodePictures(noise(9)))).toBe('model-unreadable')
    expect(await encoder.encodeTexts(['a dog'])).toHaveLength(1)
    await encoder.close()
  })
})

describe('openEncoder', () => {
  test.each([{ threads: 0 }, { batchSize: 0 }, { batchSize: 1.5 }, { threads: Number.NaN }, { sessions: 0 }])(
    'refuses %o',
    async (options) => {
      await expect(openEncoder(model, options)).rejects.toThrow(UsageError)
    },
  )

  test('opens one encoder after the other in one process, with the same results', async () => {
    const results = []
    for (const threads of [1, 2]) {
      const encoder = await openEncoder(model, { threads })
      results.push((await encoder.encodeTexts(['a dog']))[0]!)
      await encoder.close()
    }
    const [first, second] = results
    expect(Math.max(...first!.map((x, i) => Math.abs(x - second![i]!)))).toBeLessThan(1e-5)
  })

  test('closes while it encodes: what runs is rejected, what comes later too, and closing again does nothing', async () => {
    const encoder = await openEncoder(model)
    await encoder.encodePictures(noise(1))
    const running = codeOf(encoder.encodePictures(noise(40)))
    await encoder.close()
    expect(await running).toBe('encoder-closed')
    expect(await codeOf(encoder.encodeTexts(['a dog']))).toBe('encoder-closed')
    await encoder.close()
  })

  test('is closed by its signal, with the reason of that', async () => {
    const abort = new AbortController()
    const encoder = await openEncoder(model, { signal: abort.signal })
    const reason = new Error('enough')
    const running = codeOf(encoder.encodeTexts(['a dog']))
    abort.abort(reason)
    expect(await running).toBe(reason)
    await encoder.close()
    await expect(openEncoder(model, { signal: abort.signal })).rejects.toBe(reason)
  })
})

test('a worker that dies takes its calls with it, says so, and is replaced at the next call', async () => {
  // A model that has lost half its description is what the worker cannot be prepared for.
  const encoder = await openEncoder({ ...model, text: undefined as never }, { sessions: 1 })
  await encoder.encodePictures(noise(1))
  const text = codeOf(encoder.encodeTexts(['a dog']))
  const pictures = codeOf(encoder.encodePictures(noise(8)))
  expect([await text, await pictures]).toEqual(['encoder-crashed', 'encoder-crashed'])
  expect(await encoder.encodePictures(noise(1))).toHaveLength(1)
  await encoder.close()
})

describe('a damaged model', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vidgrep-encoder-'))
    for (const { file } of [model.image, model.text]) await cp(`${file}_data`, join(folder, `${basename(file)}_data`))
    await writeFile(join(folder, 'image.onnx'), (await readFile(model.image.file)).subarray(0, 20_000))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('is named with the way to check it, and its other tower still works', async () => {
    const encoder = await openEncoder({ ...model, image: { ...model.image, file: join(folder, 'image.onnx') } })
    const failure = await encoder.encodePictures(noise(1)).catch((error: unknown) => error as EncoderError)
    expect(failure).toMatchObject({
      code: 'model-unreadable',
      remedy: expect.stringContaining('models verify starter'),
    })
    expect((failure as EncoderError).message).toContain(join(folder, 'image.onnx'))
    expect(await encoder.encodeTexts(['a dog'])).toHaveLength(1)
    await encoder.close()
  })

  test.each([1, 2])('works as soon as it is mended, with %d sessions', async (sessions) => {
    const file = join(folder, `mended-${sessions}.onnx`)
    await cp(join(folder, 'image.onnx'), file)
    const encoder = await openEncoder({ ...model, image: { ...model.image, file } }, { sessions })
    expect(await codeOf(encoder.encodePictures(noise(1)))).toBe('model-unreadable')
    await cp(model.image.file, file)
    expect(await encoder.encodePictures(noise(1))).toHaveLength(1)
    await encoder.close()
  })

  test('works as soon as its text tower is mended', async () => {
    const file = join(folder, 'mended-text.onnx')
    await writeFile(file, 'damaged')
    const encoder = await openEncoder({ ...model, text: { ...model.text, file } })
    expect(await codeOf(encoder.encodeTexts(['a dog']))).toBe('model-unreadable')
    await cp(model.text.file, file)
    expect(await encoder.encodeTexts(['a dog'])).toHaveLength(1)
    await encoder.close()
  })

  test.each([
    ['dimension', { ...model, dimension: 512 }, 'embedding-unusable'],
    ['tensor name', { ...model, text: { ...model.text, output: 'nothing' } }, 'model-unreadable'],
    ['input name', { ...model, text: { ...model.text, inputs: ['nothing'] } }, 'model-unreadable'],
    ['tokenizer', { ...model, text: { ...model.text, tokenizer: model.text.file } }, 'model-unreadable'],
  ])('is found out by a wrong %s', async (_, wrong, code) => {
    const encoder = await openEncoder(wrong)
    expect(await codeOf(encoder.encodeTexts(['a dog']))).toBe(code)
    await encoder.close()
  })
})

/** Runs a script with an open `encoder`, its `model` and one `picture` in a process of its own. */
const runScript = (body: string, options = '{}') => {
  const source = (path: string) => JSON.stringify(join(import.meta.dirname, '../../src', path))
  const script = `
    import { openEncoder } from ${source('encoder/encoder.ts')}
    import { loadModel } from ${source('models/load.ts')}
    const model = await loadModel('starter')
    const pictures = (count) => new Uint8Array(count * model.image.size ** 2 * 3)
    const encoder = await openEncoder(model, ${options})
    ${body}`
  return promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '../..'),
  })
}

describe('a process with an open encoder', () => {
  test('ends by itself, and only after its calls have ended', async () => {
    const { stdout } = await runScript(`
      const [embedding] = await encoder.encodeTexts(['a dog'])
      console.log(embedding.length)`)
    expect(stdout).toBe('384\n')
  })

  test('waits for an encoder that is closed while it encodes', async () => {
    const { stdout } = await runScript(`
      await encoder.encodePictures(pictures(1))
      const running = encoder.encodePictures(pictures(24)).catch((error) => error.code)
      await encoder.close()
      console.log(await running)`)
    expect(stdout).toBe('encoder-closed\n')
  })

  test.each([
    ['while the model loads', '', '{}'],
    ['while a batch runs', 'await encoder.encodePictures(pictures(1))', '{}'],
    ['while several sessions load', '', '{ sessions: 3, threads: 3 }'],
    ['while several batches run', 'await encoder.encodePictures(pictures(1))', '{ sessions: 3, threads: 3 }'],
  ])('can be ended %s, with the exit code that was asked for', async (_, before, options) => {
    const ended = runScript(
      `
      ${before}
      encoder.encodePictures(pictures(80))
      setTimeout(() => process.exit(7), 100)`,
      options,
    )
    await expect(ended).rejects.toMatchObject({ code: 7, stderr: '' })
  })
})
