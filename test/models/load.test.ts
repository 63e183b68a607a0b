import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { defaultModelName } from '../../src/models/disk.ts'
import { listModels } from '../../src/models/list.ts'
import { loadModel } from '../../src/models/load.ts'
import { ModelError } from '../../src/models/model.ts'

const starter = join(import.meta.dirname, '../../models/starter')

describe('loadModel', () => {
  test('finds the carried model with absolute paths', async () => {
    const model = await loadModel('starter')
    expect(model).toMatchObject({ id: 'starter-1', name: 'starter', dimension: 384, threshold: 30 })
    expect(model.image).toMatchObject({ file: join(starter, 'image.onnx'), size: 224, resize: 'squash' })
    expect(model.text).toMatchObject({ file: join(starter, 'text.onnx'), tokenizer: join(starter, 'tokenizer.json') })
  })

  test('knows the default model', async () => {
    expect((await loadModel(defaultModelName)).name).toBe(defaultModelName)
  })

  test('suggests the nearest name for one that it does not know', async () => {
    const failure = await loadModel('Startr').catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(UsageError)
    expect(failure).toMatchObject({
      message: expect.stringContaining('Startr'),
      remedy: expect.stringContaining('starter'),
    })
  })
})

describe("loadModel of a user's own folder", () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vidgrep-models-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const describeModel = async (change: object = {}) => {
    const description = JSON.parse(await readFile(join(starter, 'model.json'), 'utf8'))
    await writeFile(join(folder, 'model.json'), JSON.stringify({ ...description, ...change }))
  }

  test('takes a copy of the carried model, under whatever id its model.json gives', async () => {
    await cp(starter, folder, { recursive: true })
    await describeModel({ id: 'mine-1', name: 'mine' })
    const [mine, carried] = [await loadModel(folder), await loadModel('starter')]
    expect(mine).toMatchObject({ id: 'mine-1', name: 'mine', dimension: 384 })
    expect(mine.image).toEqual({ ...carried.image, file: join(folder, 'image.onnx') })
  })

  test('names a missing file', async () => {
    await describeModel()
    const failure = await loadModel(folder).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'model-missing',
      message: expect.stringContaining(join(folder, 'image.onnx')),
    })
  })

  test.each([
    ['a missing dimension', { dimension: undefined }, 'dimension'],
    ['an unknown key', { colour: 'red' }, 'colour'],
    ['a path out of the folder', { image: { file: '../image.onnx' } }, 'image.file'],
    ['an absolute path', { text: { file: '/etc/passwd' } }, 'text.file'],
    ['a standard deviation of 0', { image: { std: [0, 1, 1] } }, 'image.std'],
  ])('refuses %s and says where', async (_, change, where) => {
    await describeModel(change)
    const failure = await loadModel(folder).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ModelError)
    expect(failure).toMatchObject({ code: 'model-invalid', message: expect.stringContaining(where) })
  })

  test('refuses a model.json that is no JSON, and a folder without one', async () => {
    await writeFile(join(folder, 'model.json'), '{')
    await expect(loadModel(folder)).rejects.toMatchObject({ code: 'model-invalid' })
    await mkdir(join(folder, 'empty'))
    await expect(loadModel(join(folder, 'empty'))).rejects.toThrow(UsageError)
  })
})

describe('listModels', () => {
  test('lists the carried model as being on disk, with its size', async () => {
    const starterEntry = (await listModels()).find(({ name }) => name === 'starter')
    expect(starterEntry).toMatchObject({ onDisk: true, bytes: 60_828_531, folder: starter })
  })
})

describe('a known model whose text tower was pulled in 8 bits only', () => {
  let home: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'vidgrep-models-'))
    process.env.VIDGREP_HOME = home
  })
  afterEach(async () => {
    delete process.env.VIDGREP_HOME
    await rm(home, { recursive: true })
  })

  test('is the same model, with that tower', async () => {
    const folder = join(home, 'cache/models/clip-vit-b-32')
    const paths = ['onnx/vision_model.onnx', 'onnx/text_model_quantized.onnx', 'tokenizer.json']
    await mkdir(join(folder, 'onnx'), { recursive: true })
    for (const path of paths) await writeFile(join(folder, path), 'some bytes')
    const files = Object.fromEntries(paths.map((path) => [path, { bytes: 10, sha256: '0'.repeat(64) }]))
    await writeFile(join(folder, 'pulled.json'), JSON.stringify({ source: 'here', files }))
    const model = await loadModel('clip-vit-b-32')
    expect(model).toMatchObject({ id: 'openai-clip-vit-b-32', text: { file: join(folder, paths[1]!) } })
    expect((await listModels()).find(({ name }) => name === 'clip-vit-b-32')).toMatchObject({ onDisk: true })
    await rm(join(folder, paths[1]!))
    await expect(loadModel('clip-vit-b-32')).rejects.toMatchObject({ code: 'model-missing' })
  })
})
