import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkModel, fastest } from '../../src/checkModel.ts'
import { models, openIndex } from '../../src/index.ts'
import { loadModel } from '../../src/models/load.ts'
import { verifyModel } from '../../src/models/manage.ts'
import { keepMeasuredCosine, parseModelId } from '../../src/models/precision.ts'
import { settingsFrom } from '../../src/settings.ts'
import { h264, makeClip, testPicture } from '../video/makeClip.ts'

const starter = join(import.meta.dirname, '../../models/starter')
const imageGraph = join(starter, 'image.onnx')
let home: string
let clip: string

/** A model of the user's own: the starter's towers under another name. */
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'vidgrep-precision-'))
  process.env.VIDGREP_HOME = home
  clip = await makeClip(join(home, 'clip.mp4'), ...testPicture(2), ...h264)
  await cp(starter, join(home, 'mine'), { recursive: true })
  const description = JSON.parse(await readFile(join(home, 'mine/model.json'), 'utf8'))
  await writeFile(join(home, 'mine/model.json'), JSON.stringify({ ...description, id: 'mine-1', name: 'mine' }))
  await models.add(join(home, 'mine'))
  await models.addPrecision(imageGraph, 'mine', 'fast')
})
afterAll(async () => {
  delete process.env.VIDGREP_HOME
  await rm(home, { recursive: true })
})

describe('a precision', () => {
  test('that was added is another file and another id, and is verified', async () => {
    const file = join(home, 'cache/models/mine/fast/model.onnx')
    expect(await loadModel('mine', { precision: 'fast' })).toMatchObject({ id: 'mine-1+fast', image: { file } })
    expect((await loadModel('mine')).id).toBe('mine-1')
    await writeFile(file, 'damaged')
    expect((await verifyModel('mine')).filter(({ right }) => !right)).toMatchObject([{ path: file }])
    await models.addPrecision(imageGraph, 'mine', 'fast')
    expect((await verifyModel('mine')).every(({ right }) => right)).toBe(true)
  })

  test('that the model has no file for is refused with those that it has', async () => {
    await expect(loadModel('mine', { precision: 'balanced' })).rejects.toMatchObject({
      code: 'precision-missing',
      message: expect.stringContaining('got only full, fast'),
      remedy: expect.stringContaining('models add FILE --to mine --precision balanced'),
    })
  })

  test('is not added from a graph that gives other embeddings, takes no pictures, or is none', async () => {
    const graphs = [
      [join(import.meta.dirname, '../reference/graphs/image-hub.onnx'), /384/],
      [join(starter, 'text.onnx'), /input/],
      [join(home, 'missing.onnx'), /Expected an ONNX file/],
    ] as const
    for (const [graph, reason] of graphs)
      await expect(models.addPrecision(graph, 'mine', 'balanced')).rejects.toThrow(reason)
    await expect(models.addPrecision(imageGraph, 'starter', 'fast')).rejects.toThrow('part of the program')
    expect((await readdir(join(home, 'cache/models/mine'))).filter((name) => /balanced/.test(name))).toEqual([])
  })

  test('is none but the three', () => {
    expect(() => settingsFrom({ precision: 'half' as never })).toThrow('full, balanced, fast')
    expect(parseModelId('hf:a/b@c+balanced')).toEqual({ id: 'hf:a/b@c', precision: 'balanced' })
    expect(parseModelId('mine-1')).toEqual({ id: 'mine-1', precision: 'full' })
  })
})

const index = async (options: Parameters<typeof openIndex>[0]): Promise<string> => {
  const opened = await openIndex(options)
  try {
    for await (const event of opened.ingest([clip], { detail: 'whole', force: true }))
      if (event.type === 'video') expect(event.result.status).toBe('complete')
    expect((await opened.search('colours')).moments).not.toEqual([])
    return opened.store!.collection.model
  } finally {
    await opened.close()
  }
}

describe('a collection', () => {
  test('keeps the precision that made it', async () => {
    const store = join(home, 'fast')
    expect(await index({ store, model: 'mine', precision: 'fast' })).toBe('mine-1+fast')
    expect(await index({ store })).toBe('mine-1+fast')
    await expect(index({ store, precision: 'full' })).rejects.toMatchObject({
      message: expect.stringMatching(/precision fast .* got full \(nothing measured\)/),
      remedy: expect.stringContaining('vidgrep models check mine'),
    })
  })

  test('takes another precision once it was measured to give the same', async () => {
    const store = join(home, 'full')
    await index({ store, model: 'mine' })
    const fast = await loadModel('mine', { precision: 'fast' })
    await keepMeasuredCosine(fast, 0.98)
    await expect(index({ store, precision: 'fast' })).rejects.toThrow('0.9800')
    const checked = await checkModel('mine', { paths: [clip], frames: 3 })
    expect(checked).toMatchObject({ model: 'mine', videos: 1, frames: 3, skipped: [] })
    expect(checked.precisions.map(({ precision }) => precision)).toEqual(['full', 'fast'])
    for (const { cosine, centredCosine, topTen, patchesASecond, isMixable } of checked.precisions) {
      for (const each of [cosine.mean, cosine.least, centredCosine.mean, centredCosine.least, topTen])
        expect(each).toBeCloseTo(1, 5)
      expect(patchesASecond).toBeGreaterThan(0)
      expect(isMixable).toBe(true)
    }
    expect(await index({ store, precision: 'fast' })).toBe('mine-1')
  })
})

test('the fastest precision is taken that finds what full finds, and is worth it', () => {
  const spread = { mean: 1, least: 1 }
  const same = { cosine: spread, centredCosine: spread, topTen: 1, isMixable: true }
  const full = { ...same, precision: 'full', patchesASecond: 10 } as const
  const balanced = { ...same, precision: 'balanced', patchesASecond: 16 } as const
  const fast = { ...same, precision: 'fast', patchesASecond: 30 } as const
  expect(fastest([full, balanced, fast])).toBe('fast')
  expect(fastest([full, balanced, { ...fast, isMixable: false }])).toBe('balanced')
  expect(fastest([full, balanced, { ...fast, topTen: 0.89 }])).toBe('balanced')
  expect(fastest([full, { ...balanced, patchesASecond: 10.9 }])).toBe('full')
  expect(fastest([full])).toBe('full')
})

test('a model is checked on the videos of a collection, or on none', async () => {
  const store = join(home, 'full')
  expect(await checkModel('mine', { store, frames: 1 })).toMatchObject({ videos: 1 })
  await expect(checkModel('mine', { store: join(home, 'none') })).rejects.toThrow()
  await expect(checkModel('mine', { paths: [join(home, 'mine/model.json')] })).rejects.toThrow('videos to take frames')
})
