import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Device, Placement } from '../../src/encoder/device.ts'
import type { Encoder, OpenEncoder } from '../../src/encoder/encoder.ts'
import { openEncoder } from '../../src/encoder/open.ts'
import { openTunedEncoder } from '../../src/encoder/tuned.ts'
import { type Tuning, type TuningMemory, tuningKey, tuningMemory } from '../../src/encoder/tuning.ts'
import { loadModel } from '../../src/models/load.ts'

const model = await loadModel('starter')
const pictureBytes = model.image.size ** 2 * 3
const pictures = (count: number) => new Uint8Array(count * pictureBytes)

type Machine = {
  readonly loadMs: number
  readonly device?: Device
  /** Milliseconds that a batch takes. */
  readonly batchMs: (count: number) => number
}

/** Encoders of a machine with a clock of its own, and what was done with them. */
const machine = ({ loadMs, device = 'cuda', batchMs }: Machine) => {
  let nowMs = 0
  const opened: OpenEncoder[] = []
  const batches: number[] = []
  const open = async (_: unknown, options: OpenEncoder = {}): Promise<Encoder> => {
    opened.push(options)
    const placements: { pictures?: Placement } = {}
    return {
      model,
      batchSize: options.batchSize ?? 4,
      batchesAtOnce: 2,
      busy: { seconds: 0 },
      load: () => {},
      placements,
      encodePictures: async (pixels) => {
        const count = pixels.length / pictureBytes
        batches.push(count)
        nowMs += batchMs(count) + (placements.pictures ? 0 : loadMs)
        placements.pictures = { device, file: model.image.file, passedOver: [] }
        return Array.from({ length: count }, (_, i) => Float32Array.of(i))
      },
      encodeTexts: async () => [],
      close: async () => {},
    }
  }
  const known = new Map<string, Tuning | undefined>()
  const memory: TuningMemory = {
    read: async (key) => known.get(key),
    write: async (key, tuning) => void known.set(key, tuning),
  }
  return { opened, batches, known, elapsed: () => nowMs, options: { open, memory, now: () => nowMs } }
}

/** `each` milliseconds a picture and `start` a batch. */
const linear = (start: number, each: number) => (count: number) => start + each * count

describe('openTunedEncoder', () => {
  test('does nothing until a picture comes', async () => {
    const { batches, elapsed, options } = machine({ loadMs: 100, batchMs: linear(0, 5) })
    const encoder = await openTunedEncoder(model, options)
    await encoder.encodeTexts(['a dog'])
    expect(batches).toEqual([])
    expect(elapsed()).toBe(0)
    expect(encoder.batchSize).toBe(4)
  })

  test('takes the size that runs fastest on a GPU and remembers it', async () => {
    const { known, options } = machine({ loadMs: 100, batchMs: linear(20, 5) })
    const encoder = await openTunedEncoder(model, options)
    expect(await encoder.encodePictures(pictures(3))).toHaveLength(3)
    expect(encoder.batchSize).toBe(64)
    const key = tuningKey(model.id, 'auto')
    expect([...known.keys()]).toEqual([key])
    expect(known.get(key)).toMatchObject({ batchSize: 64, device: 'cuda', picturesPerSecond: 188.2 })
  })

  test('takes the smallest size where none is clearly faster than the default', async () => {
    const { options } = machine({ loadMs: 100, batchMs: linear(0, 5) })
    const encoder = await openTunedEncoder(model, options)
    await encoder.encodePictures(pictures(1))
    expect(encoder.batchSize).toBe(16)
  })

  test('measures and remembers nothing on a CPU', async () => {
    const { batches, known, options } = machine({ loadMs: 100, device: 'cpu', batchMs: linear(20, 5) })
    const encoder = await openTunedEncoder(model, options)
    await encoder.encodePictures(pictures(6))
    expect(batches).toEqual([1, 4, 2])
    expect(encoder.batchSize).toBe(4)
    expect(known.size).toBe(0)
  })

  test('opens a session a core, or a thread that was asked for', async () => {
    const { opened, options } = machine({ loadMs: 100, device: 'cpu', batchMs: linear(0, 5) })
    await openTunedEncoder(model, options)
    await openTunedEncoder(model, { ...options, threads: 3 })
    await openTunedEncoder(model, { ...options, threads: 3, batchSize: 8 })
    expect(opened).toMatchObject([
      { sessions: availableParallelism(), threads: 1 },
      { sessions: 3, threads: 1 },
      { sessions: 3, threads: 1, batchSize: 8 },
    ])
  })

  test('stops when the time for it is over: a heavy model gets the default after two pictures', async () => {
    const { batches, elapsed, known, options } = machine({ loadMs: 4000, batchMs: linear(0, 900) })
    const encoder = await openTunedEncoder(model, options)
    await encoder.encodePictures(pictures(8))
    expect(batches).toEqual([1, 1, 4, 4])
    expect(elapsed()).toBe(4000 + 10 * 900)
    expect(encoder.batchSize).toBe(4)
    expect([...known.values()]).toMatchObject([{ batchSize: 4, picturesPerSecond: 1.1 }])
  })

  test.each([10, 30, 60, 100, 140])('spends little more than its budget at %d ms a picture', async (each) => {
    const { elapsed, options } = machine({ loadMs: 300, batchMs: linear(0, each) })
    const encoder = await openTunedEncoder(model, { ...options, budgetMs: 1200 })
    await encoder.encodePictures(pictures(1))
    expect(elapsed()).toBeLessThanOrEqual(300 + 2 * each + 1200 + 300)
  })

  test('measures nothing where the size was given, or is remembered', async () => {
    const given = machine({ loadMs: 100, batchMs: linear(0, 5) })
    await (await openTunedEncoder(model, { ...given.options, batchSize: 5 })).encodePictures(pictures(1))
    expect(given.batches).toEqual([1])
    const { options, batches, opened } = machine({ loadMs: 100, batchMs: linear(20, 5) })
    await (await openTunedEncoder(model, options)).encodePictures(pictures(1))
    batches.length = 0
    const again = await openTunedEncoder(model, options)
    expect(again.batchSize).toBe(64)
    await again.encodePictures(pictures(64))
    expect(batches).toEqual([64])
    expect(opened.at(-1)).toMatchObject({ batchSize: 64 })
  })

  test('forgets what was measured on a device that is not there any more', async () => {
    const { options, known } = machine({ loadMs: 100, device: 'cpu', batchMs: linear(20, 5) })
    const key = tuningKey(model.id, 'auto')
    known.set(key, { batchSize: 64, device: 'cuda', picturesPerSecond: 900, measuredAt: '2026-01-01T00:00:00.000Z' })
    await (await openTunedEncoder(model, options)).encodePictures(pictures(1))
    expect(known.get(key)).toBeUndefined()
  })

  test('rejects at once when it is aborted while it measures, and goes on for others', async () => {
    const { options } = machine({ loadMs: 100, batchMs: linear(20, 5) })
    const encoder = await openTunedEncoder(model, options)
    const abort = new AbortController()
    const running = encoder.encodePictures(pictures(1), { signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
    expect(await encoder.encodePictures(pictures(2))).toHaveLength(2)
  })
})

describe('with the real runtime', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vidgrep-tuned-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('gives the same embeddings as a single session', async () => {
    const pixels = Uint8Array.from({ length: 9 * pictureBytes }, (_, i) => (i * 31) % 251)
    const plain = await openEncoder(model)
    const expected = await plain.encodePictures(pixels)
    await plain.close()
    const tuned = await openTunedEncoder(model, { memory: tuningMemory(join(folder, 'cache/tuning.json')) })
    const running = tuned.encodePictures(pixels)
    pixels.fill(0)
    const found = await running
    expect(found).toHaveLength(expected.length)
    for (const [i, embedding] of found.entries()) {
      expect(Math.max(...embedding.map((x, k) => Math.abs(x - expected[i]![k]!)))).toBeLessThan(1e-5)
    }
    expect(tuned.placements.pictures?.device).toBe('cpu')
    await tuned.close()
  })

  test('what was found is there for the next one', async () => {
    const file = join(folder, 'cache/tuning.json')
    const tuning: Tuning = {
      batchSize: 32,
      device: 'cuda',
      picturesPerSecond: 900,
      measuredAt: '2026-01-01T00:00:00.000Z',
    }
    await tuningMemory(file).write(tuningKey(model.id, 'auto'), tuning)
    const encoder = await openTunedEncoder(model, { memory: tuningMemory(file) })
    expect(encoder.batchSize).toBe(32)
    await encoder.close()
  })

  test('an encoder that is closed while it measures rejects what waits', async () => {
    const tuned = await openTunedEncoder(model, { memory: tuningMemory(join(folder, 'tuning.json')) })
    const running = tuned.encodePictures(pictures(1)).catch((error: { code: string }) => error.code)
    await tuned.close()
    expect(await running).toBe('encoder-closed')
  })

  test('a memory that cannot be read or written is no failure', async () => {
    const memory = tuningMemory(join(model.image.file, 'tuning.json'))
    await memory.write('key', { batchSize: 8, picturesPerSecond: 1, device: 'cpu', measuredAt: '' })
    expect(await memory.read('key')).toBeUndefined()
  })
})
