import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openImageTower } from '../../../src/encoder/worker/imageTower.ts'
import { openTextTower } from '../../../src/encoder/worker/textTower.ts'
import { loadModel } from '../../../src/models/load.ts'

const model = await loadModel('starter')
const settings = { device: 'cpu', threads: 1 } as const
const pixels = Uint8Array.from({ length: 2 * 3 * model.image.size ** 2 }, (_, i) => (i * 7) % 253)

let folder: string
let notices: string[]
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'vidgrep-prepared-')), 'prepared')
  notices = []
})
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }))

const preparation = (change = {}) => ({
  folder,
  leastBytes: 0,
  onNotice: (notice: string) => notices.push(notice),
  ...change,
})

const encode = async (change = {}, image = model.image) => {
  const tower = await openImageTower(image, { ...settings, preparation: preparation(change) })
  const { data } = await tower.run(pixels, 2)
  await tower.release()
  return { data, isPrepared: tower.placement.isPrepared ?? false }
}

const plain = async () => {
  const tower = await openImageTower(model.image, settings)
  const { data } = await tower.run(pixels, 2)
  await tower.release()
  return data
}

const expectNear = (found: Float32Array, wanted: Float32Array) =>
  expect(Math.max(...found.map((x, i) => Math.abs(x - wanted[i]!)))).toBeLessThan(1e-4)

const entries = () => readdir(folder)

describe('a tower', () => {
  test('is prepared once, says so, and gives what it gives otherwise', async () => {
    const wanted = await plain()
    for (let i = 0; i < 2; i++) {
      const { data, isPrepared } = await encode()
      expect(isPrepared).toBe(true)
      expectNear(data, wanted)
    }
    expect(notices).toEqual([expect.stringContaining(model.image.file)])
    expect(await entries()).toHaveLength(1)
  })

  test('of texts gives the same for the first text and for those that it packs its weights for', async () => {
    const texts = Array.from({ length: 7 }, (_, i) => `${i} red cars`)
    const run = async (with_ = {}) => {
      const tower = await openTextTower(model.text, { ...settings, ...with_ })
      const rows = []
      for (const text of texts) rows.push((await tower.run([text])).data)
      await tower.release()
      return rows
    }
    const [found, wanted] = [await run({ preparation: preparation() }), await run()]
    for (const [i, row] of found.entries()) expectNear(row, wanted[i]!)
  })

  test('of texts, with weights of 8 bits, too', async () => {
    const run = async (with_ = {}) => {
      const tower = await openTextTower(model.text, { ...settings, ...with_ })
      const { data } = await tower.run(['a red car', 'two children playing soccer'])
      await tower.release()
      return data
    }
    const wanted = await run()
    for (let i = 0; i < 2; i++) expectNear(await run({ preparation: preparation() }), wanted)
    expect((await entries()).filter((name) => !name.startsWith('tokens-'))).toHaveLength(1)
  })

  test('is prepared anew when its file changes, or the one with its weights', async () => {
    const file = join(folder, '../image.onnx')
    for (const end of ['', '_data']) await cp(`${model.image.file}${end}`, `${file}${end}`)
    await encode({}, { ...model.image, file })
    for (const end of ['', '_data']) {
      await utimes(`${file}${end}`, new Date(0), new Date(0))
      expect((await encode({}, { ...model.image, file })).isPrepared).toBe(true)
    }
    expect(await entries()).toHaveLength(3)
    expect(notices).toHaveLength(3)
  })

  test.each(['weights.bin', 'graph.onnx', 'note.json'])('is prepared anew when its %s was cut', async (name) => {
    await encode()
    await truncate(join(folder, (await entries())[0]!, name), 100)
    const { data, isPrepared } = await encode()
    expect(isPrepared).toBe(true)
    expectNear(data, await plain())
    expect(notices).toHaveLength(2)
    expect(await entries()).toHaveLength(1)
  })

  test('runs from its own graph when what was prepared cannot be opened, and is prepared anew by the next', async () => {
    await encode()
    const [entry] = await entries()
    const { size } = await import('node:fs/promises').then(({ stat }) => stat(join(folder, entry!, 'graph.onnx')))
    await writeFile(join(folder, entry!, 'graph.onnx'), Buffer.alloc(size, 7))
    const { data, isPrepared } = await encode()
    expect(isPrepared).toBe(false)
    expectNear(data, await plain())
    expect(notices.at(-1)).toContain('Could not prepare')
    expect((await encode()).isPrepared).toBe(true)
  })

  test('runs from its own graph where nothing can be written', async () => {
    await writeFile(folder, 'no folder')
    const { data, isPrepared } = await encode()
    expect(isPrepared).toBe(false)
    expectNear(data, await plain())
    expect(notices).toEqual([expect.stringContaining('Could not prepare')])
  })

  test.runIf(process.platform === 'linux')(
    'runs from its own graph when the process that prepares it is killed',
    async () => {
      const children = async () =>
        (await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')).split(' ').filter(Boolean)
      const before = await children()
      const encoding = encode()
      let started: string[] = []
      while (started.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        started = (await children()).filter((pid) => !before.includes(pid))
      }
      process.kill(Number(started[0]), 'SIGKILL')
      const { data, isPrepared } = await encoding
      expect(isPrepared).toBe(false)
      expectNear(data, await plain())
      expect(notices.at(-1)).toMatch(/^Could not prepare .*SIGKILL/)
      expect(await entries()).toEqual([])
    },
  )

  test('is prepared no further when that is given up', async () => {
    const given = new AbortController()
    const encoding = encode({ signal: given.signal, onNotice: () => given.abort(new Error('given up')) })
    await expect(encoding).rejects.toThrow('given up')
    expect(await entries()).toEqual([])
  })

  test('that is larger than all that may be kept is not prepared, without a word', async () => {
    expect((await encode({ mostBytes: 1e6 })).isPrepared).toBe(false)
    expect(notices).toEqual([])
  })

  test('that is small opens fast enough as it is', async () => {
    expect((await encode({ leastBytes: undefined })).isPrepared).toBe(false)
    expect(notices).toEqual([])
  })

  test('that is damaged fails with the reason that it has otherwise', async () => {
    const file = join(folder, '../damaged.onnx')
    await writeFile(file, 'no model')
    await expect(encode({}, { ...model.image, file })).rejects.toThrow(file)
    expect(notices.filter((notice) => notice.startsWith('Could not'))).toEqual([])
  })
})

test('what was used longest ago makes room, and what was broken off goes', async () => {
  const old = new Date(Date.now() - 3 * 3600 * 1000)
  for (const name of ['old', 'older.broken-off', 'recent']) {
    await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, name, 'weights.bin'), Buffer.alloc(50e6))
  }
  await utimes(join(folder, 'old'), old, old)
  await utimes(join(folder, 'older.broken-off'), old, old)
  await encode({ mostBytes: 150e6 })
  const left = await entries()
  expect(left).toContain('recent')
  expect(left).toHaveLength(2)
  expect(left).not.toContain('old')
})

test('several processes that prepare at once leave one whole graph, and a kill leaves none that is taken for whole', async () => {
  const source = (path: string) => JSON.stringify(join(import.meta.dirname, '../../../src', path))
  const script = `
    import { openImageTower } from ${source('encoder/worker/imageTower.ts')}
    import { loadModel } from ${source('models/load.ts')}
    const { image } = await loadModel('starter')
    const preparation = { folder: ${JSON.stringify(folder)}, leastBytes: 0, onNotice: () => process.argv[1] === 'die' && process.kill(process.pid, 'SIGKILL') }
    const tower = await openImageTower(image, { device: 'cpu', threads: 1, preparation })
    console.log(tower.placement.isPrepared)`
  const run = (word: string) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, word], {
      cwd: join(import.meta.dirname, '../../..'),
    })
  await expect(run('die')).rejects.toMatchObject({ signal: 'SIGKILL' })
  const before = await entries()
  expect(before).toEqual([expect.stringContaining('.')])
  const both = await Promise.all([run('live'), run('live')])
  expect(both.map(({ stdout }) => stdout)).toEqual(['true\n', 'true\n'])
  expect((await entries()).filter((name) => !before.includes(name))).toHaveLength(1)
})
