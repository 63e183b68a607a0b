import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { knownModels, neededFiles, towerFiles } from '../../src/models/disk.ts'
import { findModel, loadModel } from '../../src/models/load.ts'
import { planPull } from '../../src/models/pull/plan.ts'

const models = await knownModels()
const hubModels = models.filter(({ carried }) => !carried)

beforeEach(() => {
  process.env.VIDGREP_HOME = '/nowhere'
})
afterEach(() => {
  delete process.env.VIDGREP_HOME
})

describe('planPull', () => {
  test.each(hubModels)('knows where each file of $name comes from and goes to', (entry) => {
    const { files, folder } = planPull(entry)
    expect(folder).toBe(join('/nowhere/cache/models', entry.name))
    expect(files.map(({ path }) => path).sort()).toEqual(
      [entry.image.file, entry.text.file, entry.text.tokenizer].sort(),
    )
    for (const { path, url, target } of files) {
      const source = { ...entry.source!, path, ...entry.files.find((file) => file.path === path)!.from }
      expect(url).toBe(`https://huggingface.co/${source.repo}/resolve/${source.revision}/${source.path}`)
      expect(target).toBe(join(folder, path))
    }
  })

  test('takes another address for the hub, and refuses what is none', async () => {
    const entry = await findModel('clip-vit-b-32')
    expect(planPull(entry, { mirror: 'http://hub.example/hf/' }).files[0]?.url).toMatch(
      /^http:\/\/hub\.example\/hf\/Xenova\//,
    )
    expect(() => planPull(entry, { mirror: 'hub.example' })).toThrow(UsageError)
  })

  test('has nothing to pull for the carried model', async () => {
    const entry = await findModel('starter')
    expect(() => planPull(entry)).toThrow(UsageError)
  })
})

describe('the precision', () => {
  test('chooses the files of the towers', async () => {
    const entry = await findModel('clip-vit-b-32')
    const paths = neededFiles(entry, { image: 'fp16', text: 'int8' }).map(({ path }) => path)
    expect(paths).toEqual(['onnx/vision_model_fp16.onnx', 'onnx/text_model_quantized.onnx', 'tokenizer.json'])
  })

  test('stays fp32 for a tower that does not come in another one', async () => {
    const entry = await findModel('clip-rn50x4')
    expect(towerFiles(entry, { image: 'fp16', text: 'int8' })).toEqual({
      image: entry.image.file,
      text: entry.text.file,
    })
  })
})

test("the article's model has the article's threshold, and no other hub model has one that nobody measured", () => {
  const thresholds = hubModels
    .filter(({ threshold }) => threshold !== undefined)
    .map(({ name, threshold }) => [name, threshold])
  expect(thresholds).toEqual([['clip-rn50x4', 35]])
})

test('a known model that was not pulled is named with the way to pull it', async () => {
  await expect(loadModel('clip-rn50x4')).rejects.toMatchObject({
    code: 'model-missing',
    remedy: expect.stringContaining('models pull clip-rn50x4'),
  })
})
