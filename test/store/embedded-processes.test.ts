import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedStore } from '../../src/store/embedded/embeddedStore.ts'
import { StoreError } from '../../src/store/store.ts'
import { dimension, model, putRecord, samplePoint, sampleRecord, unitVector } from './samples.ts'

const run = promisify(execFile)
const create = { model, dimension }
const collection = 'one'

let root: string
let made = 0
const freshFolder = () => join(root, `store-${++made}`)
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'vidgrep-processes-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

type Writer = {
  readonly child: ChildProcess
  line(text: RegExp): Promise<unknown>
  start(): void
  exit(): Promise<number>
}

const writer = (folder: string, first: number, count: number, record?: string): Writer => {
  const script = join(import.meta.dirname, 'embedded-writer.ts')
  const words = [folder, collection, String(first), String(count), ...(record ? [record] : [])]
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...words], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const exited = once(child, 'exit')
  return {
    child,
    line: async (text) => {
      for (;;) {
        const [line] = await Promise.race([once(lines, 'line'), exited.then(() => ['exited'])])
        if (text.test(line)) return
        if (line === 'exited') throw new Error(`The writer ended before it said ${text}`)
      }
    },
    start: () => child.stdin.write('go\n'),
    exit: async () => (await exited)[0],
  }
}

const contents = async (folder: string) => {
  const store = await openEmbeddedStore(folder, { collection })
  const ids = (await store.search(unitVector(1), { limit: 5000 })).map(({ id }) => id)
  const facts = { points: await store.countPoints(), ids, records: await store.records() }
  await store.close()
  return facts
}
const idsTo = (count: number) => new Set(Array.from({ length: count }, (_, i) => samplePoint(i).id))

describe('several processes', () => {
  test('create one collection, write overlapping points at once, and lose and double nothing', async () => {
    const folder = freshFolder()
    const writers = [writer(folder, 0, 600, 'a'), writer(folder, 0, 600, 'b'), writer(folder, 400, 600, 'c')]
    await Promise.all(writers.map(({ line }) => line(/^ready/)))
    for (const { start } of writers) start()
    const store = await openEmbeddedStore(folder, { collection })
    const tidying = (async () => {
      for (let i = 0; i < 5; i++) await store.optimize()
    })()
    expect(await Promise.all(writers.map(({ exit }) => exit()))).toEqual([0, 0, 0])
    await tidying
    await store.close()
    const { points, ids, records } = await contents(folder)
    expect(points).toBe(1000)
    expect(ids).toHaveLength(1000)
    expect(new Set(ids)).toEqual(idsTo(1000))
    expect(records).toEqual(['a', 'b', 'c'].map((video) => sampleRecord(video)))
    expect(await readdir(folder)).toEqual([collection])
  })

  test('one that is killed while writing leaves what it said it wrote, and stops nobody', async () => {
    const folder = freshFolder()
    for (let round = 0; round < 3; round++) {
      const victim = writer(folder, round * 1000, 1000)
      await victim.line(/^ready/)
      victim.start()
      await victim.line(new RegExp(`^wrote ${round * 1000 + 40 * (round + 1)}$`))
      victim.child.kill('SIGKILL')
      await victim.exit()
      const store = await openEmbeddedStore(folder, { collection })
      const held = await store.pointIds(samplePoint(0).video)
      for (let i = 0; i < 40 * (round + 1); i++) expect(held).toContain(samplePoint(round * 1000 + i).id)
      expect(await store.countPoints()).toBe(held.size)
      await store.upsert([samplePoint(round * 1000)])
      expect(await store.countPoints()).toBe(held.size)
      await store.close()
    }
  })

  test('one that is killed while creating leaves a folder in which the collection can be created', async () => {
    for (const delayMs of [0, 10, 30, 60, 100]) {
      const folder = freshFolder()
      const victim = writer(folder, 0, 20)
      while (!(await exists(folder))) await new Promise((done) => setTimeout(done, 2))
      await new Promise((done) => setTimeout(done, delayMs))
      victim.child.kill('SIGKILL')
      await victim.exit()
      const store = await openEmbeddedStore(folder, { collection, create })
      await store.upsert([samplePoint(1)])
      await putRecord(store, sampleRecord('a'))
      expect(await store.countPoints()).toBe(1)
      await store.close()
    }
  })
})

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

test('a lock that a dead process left is taken by one of those that wait, and by one only', async () => {
  const folder = freshFolder()
  await mkdir(join(folder, 'writer.lock'), { recursive: true })
  const script = join(import.meta.dirname, 'lock-holder.ts')
  const holders = Array.from({ length: 4 }, () => run(process.execPath, ['--import', 'tsx', script, folder]))
  const said = (await Promise.all(holders)).map(({ stdout }) => stdout)
  expect(said).toEqual(Array(4).fill('alone\nalone\nalone\n'))
  expect(await readdir(folder)).toEqual([])
})

/** A disk of 4 MB, where this process may make one. */
const smallDisk = async (): Promise<string | undefined> => {
  const folder = await mkdtemp(join(root, 'disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder])
    return folder
  } catch {
    return undefined
  }
}

test('a full disk is named as what it is, and what was written before stays readable', async ({ skip }) => {
  const disk = await smallDisk()
  if (!disk) return skip('a small disk cannot be mounted here')
  try {
    const store = await openEmbeddedStore(disk, { collection, create })
    let written = 0
    const error = await (async () => {
      for (; ; written += 500) await store.upsert(Array.from({ length: 500 }, (_, i) => samplePoint(written + i)))
    })().catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(StoreError)
    expect((error as StoreError).code).toBe('store-full')
    expect((error as StoreError).message).toContain(disk)
    expect(written).toBeGreaterThan(0)
    expect(await store.countPoints()).toBe(written)
    expect(await store.search(unitVector(1), { limit: 1 })).toHaveLength(1)
    await store.close()
  } finally {
    await run('umount', [disk])
  }
})

test('a store on a read-only disk is searched, and refuses a write and a new collection', async ({ skip }) => {
  const disk = await smallDisk()
  if (!disk) return skip('a small disk cannot be mounted here')
  try {
    const filled = await openEmbeddedStore(disk, { collection, create })
    await filled.upsert([samplePoint(1)])
    await putRecord(filled, sampleRecord('a'))
    await filled.close()
    await run('mount', ['-o', 'remount,ro', disk])
    const store = await openEmbeddedStore(disk, { collection, create })
    expect(await store.search(unitVector(1), { limit: 1 })).toHaveLength(1)
    expect(await store.records()).toHaveLength(1)
    const writes = [
      () => store.upsert([samplePoint(2)]),
      () => store.deleteVideo('a'),
      () => store.optimize(),
      () => openEmbeddedStore(disk, { collection: 'two', create }),
      () => openEmbeddedStore(join(disk, 'new', 'below'), { collection, create }),
    ]
    for (const write of writes) {
      await expect(write()).rejects.toMatchObject({
        code: 'store-not-writable',
        message: expect.stringContaining(disk),
      })
    }
    await store.close()
  } finally {
    await run('umount', [disk])
  }
})

test('a folder that cannot be made is named as what it is', async () => {
  const failure = (folder: string) =>
    openEmbeddedStore(folder, { collection, create }).catch((error: unknown) => error as StoreError)
  expect(await failure(join(root, 'x'.repeat(300)))).toMatchObject({ code: 'store-name-too-long' })
  if (process.platform === 'linux') {
    expect(await failure('/proc/vidgrep/store')).toMatchObject({ code: 'store-not-writable' })
  }
})

test('a folder that may not be written is named as what it is', async () => {
  const folder = freshFolder()
  await mkdir(folder, { mode: 0o555 })
  const isRoot = process.getuid?.() === 0
  await chmod(root, 0o755)
  // Root may write anywhere: be nobody for a moment.
  if (isRoot) process.seteuid?.(65_534)
  const error = await openEmbeddedStore(folder, { collection, create })
    .catch((failure: unknown) => failure)
    .finally(() => isRoot && process.seteuid?.(0))
  expect(error).toBeInstanceOf(StoreError)
  expect((error as StoreError).code).toBe('store-not-writable')
  expect((error as StoreError).remedy).toContain('--store')
})
