import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEncoder } from '../../src/encoder/encoder.ts'
import { UsageError } from '../../src/errors.ts'
import { addModel } from '../../src/models/add.ts'
import { listLeftovers, listModels } from '../../src/models/list.ts'
import { loadModel } from '../../src/models/load.ts'
import { modelPath, removeModel, verifyModel } from '../../src/models/manage.ts'

const starter = join(import.meta.dirname, '../../models/starter')
let home: string
let own: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'vidgrep-manage-'))
  process.env.VIDGREP_HOME = home
  own = join(home, 'my model')
  await cp(starter, own, { recursive: true })
  const description = JSON.parse(await readFile(join(own, 'model.json'), 'utf8'))
  await writeFile(join(own, 'model.json'), JSON.stringify({ ...description, id: 'mine-1', name: 'mine' }))
})
afterEach(async () => {
  delete process.env.VIDGREP_HOME
  await rm(home, { recursive: true })
})

describe('verifyModel', () => {
  test('finds the carried model as it should be', async () => {
    const files = await verifyModel('starter')
    expect(files).toHaveLength(5)
    expect(files.every(({ right, expected, found }) => right && expected === found)).toBe(true)
  })

  test('finds the byte that is wrong and the file that is gone', async () => {
    await addModel(own)
    const folder = await modelPath('mine')
    const data = await readFile(join(folder, 'image.onnx'))
    data[1000]! ^= 1
    await writeFile(join(folder, 'image.onnx'), data)
    await rm(join(folder, 'tokenizer.json'))
    const wrong = (await verifyModel('mine')).filter(({ right }) => !right)
    expect(wrong.map(({ path }) => path)).toEqual([join(folder, 'image.onnx'), join(folder, 'tokenizer.json')])
    expect(wrong[0]!.found).not.toBe(wrong[0]!.expected)
    expect(wrong[1]!.found).toBeUndefined()
  })
})

describe('addModel', () => {
  test('makes a model of the own folder one that is found by name, encodes, and can be removed', async () => {
    expect(await addModel(own)).toBe('mine')
    await rm(own, { recursive: true })
    const model = await loadModel('mine')
    expect(model).toMatchObject({ id: 'mine-1', image: { file: join(home, 'cache/models/mine/image.onnx') } })
    expect((await listModels()).filter(({ added }) => added)).toMatchObject([{ name: 'mine', onDisk: true }])
    const encoder = await openEncoder(model)
    expect((await encoder.encodeTexts(['a dog']))[0]).toHaveLength(384)
    await encoder.close()
    expect(await removeModel('mine')).toBe(true)
    await expect(loadModel('mine')).rejects.toThrow(UsageError)
  })

  test('refuses a name that is taken', async () => {
    await expect(addModel(starter)).rejects.toThrow(UsageError)
    await addModel(own)
    await expect(addModel(own)).rejects.toThrow(UsageError)
  })
})

describe('removeModel', () => {
  test('does not touch the carried model', async () => {
    await expect(removeModel('starter')).rejects.toThrow(UsageError)
    expect((await loadModel('starter')).name).toBe('starter')
  })

  test('takes no path for a name', async () => {
    await expect(removeModel('../../my model')).rejects.toThrow(UsageError)
    expect(await readFile(join(own, 'model.json'), 'utf8')).toContain('mine')
  })

  test('says that there was nothing to remove', async () => {
    expect(await removeModel('clip-rn50x4')).toBe(false)
  })
})

describe('weights outside of the graph', () => {
  const graphs = join(import.meta.dirname, '../reference/graphs')

  /** The starter model with an image tower of its own whose weights lie in a file beside it, as the runtime writes it. */
  const keepWeightsOutside = async () => {
    await mkdir(join(own, 'onnx'))
    const session = await InferenceSession.create(join(graphs, 'image-hub.onnx'), {
      optimizedModelFilePath: join(own, 'onnx/image.onnx'),
      logSeverityLevel: 4,
      extra: {
        session: {
          optimized_model_external_initializers_file_name: 'image.weights',
          optimized_model_external_initializers_min_size_in_bytes: '100',
        },
      },
    })
    await session.release()
    const description = JSON.parse(await readFile(join(own, 'model.json'), 'utf8'))
    const image = { ...description.image, file: 'onnx/image.onnx', size: 4, sha256: undefined }
    await writeFile(join(own, 'model.json'), JSON.stringify({ ...description, dimension: 5, image }))
    return (await stat(join(own, 'onnx/image.weights'))).size
  }

  test('are added, counted, verified, and there when a picture is encoded', async () => {
    const bytes = await keepWeightsOutside()
    await addModel(own)
    await rm(own, { recursive: true })
    const { text, image } = await loadModel('mine')
    const sizes = await Promise.all(
      [text.file, `${text.file}_data`, text.tokenizer, image.file].map(async (file) => (await stat(file)).size),
    )
    const listed = (await listModels()).find(({ name }) => name === 'mine')
    expect(listed).toMatchObject({ onDisk: true, bytes: bytes + sizes.reduce((sum, size) => sum + size) })
    const encoder = await openEncoder({ ...(await loadModel('mine')) })
    expect((await encoder.encodePictures(new Uint8Array(48)))[0]).toHaveLength(5)
    await encoder.close()

    const weights = join(home, 'cache/models/mine/onnx/image.weights')
    const files = await verifyModel('mine')
    expect(files.every(({ right, expected, found }) => right && expected === found)).toBe(true)
    expect(files.map(({ path }) => path)).toContain(weights)
    await writeFile(weights, Buffer.alloc(bytes))
    expect((await verifyModel('mine')).filter(({ right }) => !right).map(({ path }) => path)).toEqual([weights])
  })

  test('that are missing are named before anything is copied', async () => {
    await keepWeightsOutside()
    await rm(join(own, 'onnx/image.weights'))
    await expect(addModel(own)).rejects.toMatchObject({
      code: 'model-missing',
      message: expect.stringContaining(join(own, 'onnx/image.weights')),
    })
    expect(await listLeftovers()).toEqual([])
  })
})

test('a model whose hash is not the one that its model.json states is not added', async () => {
  const description = JSON.parse(await readFile(join(own, 'model.json'), 'utf8'))
  const image = { ...description.image, sha256: 'f'.repeat(64) }
  await writeFile(join(own, 'model.json'), JSON.stringify({ ...description, image }))
  await expect(addModel(own)).rejects.toMatchObject({ code: 'hash-mismatch' })
  expect(await listLeftovers()).toEqual([])
})

test('what takes up room without being a model is listed, and can be removed', async () => {
  await addModel(own)
  const folder = join(home, 'cache/models')
  for (const name of ['clip-vit-b-32.partial', `hf--a--b-c@${'1'.repeat(40)}.partial`, 'broken', 'other']) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'some.onnx'), 'some bytes')
  }
  await writeFile(join(folder, 'broken/model.json'), '{')
  const names = ['broken', 'clip-vit-b-32', `hf:a/b-c@${'1'.repeat(40)}`, 'other']
  const leftovers = await listLeftovers()
  expect(leftovers.map(({ name }) => name)).toEqual(names)
  expect(leftovers[1]).toEqual({ name: names[1], folder: join(folder, 'clip-vit-b-32.partial'), bytes: 10 })
  expect((await listModels()).filter(({ added }) => added).map(({ name }) => name)).toEqual(['mine'])
  for (const name of names) expect(await removeModel(name)).toBe(true)
  expect(await listLeftovers()).toEqual([])
  expect((await loadModel('mine')).id).toBe('mine-1')
})
