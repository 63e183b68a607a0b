import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEncoder } from '../../src/encoder/encoder.ts'
import { UsageError } from '../../src/errors.ts'
import { listModels } from '../../src/models/list.ts'
import { loadModel } from '../../src/models/load.ts'
import { addModel, modelPath, removeModel, verifyModel } from '../../src/models/manage.ts'

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
    expect(files).toHaveLength(3)
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
