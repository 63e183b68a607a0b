import { availableParallelism, cpus } from 'node:os'
import { UsageError } from '../errors.ts'
import type { Model } from '../models/model.ts'
import { deviceChoice, type Placement } from './device.ts'
import { defaultBatchSize, type Encoder, EncoderError, type OpenEncoder } from './encoder.ts'
import type { Answer } from './messages.ts'
import { openPool } from './pool.ts'
import { createQueue } from './queue.ts'
import { createSlabs } from './slabs.ts'
import { unitVectors } from './vectors.ts'

/** Batches inside a session's worker: one that runs, and one that waits, so that no time passes between the two. */
const inFlight = 2

/**
 * Opens a model for encoding. Costs nothing until the first call: each tower is loaded when it is first needed, so a
 * search never loads the image tower. An open encoder that has nothing to do does not keep the process alive.
 *
 * @throws UsageError if an option is out of range
 */
export const openEncoder = async (model: Model, options: OpenEncoder = {}): Promise<Encoder> => {
  const { signal, threads = restrictedThreads(), batchSize = defaultBatchSize, device = 'auto', sessions = 1 } = options
  signal?.throwIfAborted()
  if (threads !== undefined) expectCount('threads', threads)
  expectCount('batchSize', batchSize)
  expectCount('sessions', sessions)

  const pool = openPool({ model, batchSize, threads, device: deviceChoice(device) }, sessions)
  const queue = createQueue(inFlight * sessions)
  const pictureBytes = model.image.size ** 2 * 3
  const slabs = createSlabs(batchSize * pictureBytes, inFlight * sessions + 1)
  const placements: { pictures?: Placement; texts?: Placement } = {}
  const busy = { seconds: 0 }
  const rows = (count: number, of: 'pictures' | 'texts') => (answer: Answer) => {
    placements[of] = answer.placement
    busy.seconds += answer.busyMs / 1000 / pool.size
    return unitVectors(answer, count, model.dimension)
  }

  const encodeBatch = (batch: Uint8Array, stop: AbortSignal | undefined) => {
    const count = batch.length / pictureBytes
    const pixels = slabs.fill(batch)
    const run = () => pool.encodePictures({ kind: 'pictures', count, pixels })
    return queue.add(run, { signal: stop, done: () => slabs.release(pixels) }).then(rows(count, 'pictures'))
  }

  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    signal?.removeEventListener('abort', close)
    closing ??= pool.close(signal?.aborted ? signal.reason : undefined)
    return closing
  }
  signal?.addEventListener('abort', close)

  return {
    model,
    batchSize,
    get batchesAtOnce() {
      return inFlight * pool.size
    },
    placements,
    busy,
    load: () => void pool.load().catch(() => {}),
    encodePictures: async (pixels, { signal: stop } = {}) => {
      stop?.throwIfAborted()
      expectPictures(pixels.length, model)
      const batches = slices(pixels.length, batchSize * pictureBytes)
      return (await Promise.all(batches.map(([from, to]) => encodeBatch(pixels.subarray(from, to), stop)))).flat()
    },
    encodeTexts: async (texts, { signal: stop, onTruncated } = {}) => {
      stop?.throwIfAborted()
      const batches = slices(texts.length, batchSize).map(async ([from, to]) => {
        const batch = texts.slice(from, to)
        const answer = await queue.add(() => pool.encodeTexts(batch), { signal: stop })
        for (const i of answer.truncated) onTruncated?.(batch[i]!)
        return rows(batch.length, 'texts')(answer)
      })
      return (await Promise.all(batches)).flat()
    },
    close,
  }
}

/** The runtime counts the machine's cores, also where this process may use only some of them, as in a container. */
const restrictedThreads = (): number | undefined =>
  availableParallelism() < cpus().length ? availableParallelism() : undefined

/** [from, to) for each `size` of `length`. */
export const slices = (length: number, size: number): [number, number][] =>
  Array.from({ length: Math.ceil(length / size) }, (_, i) => [i * size, Math.min(length, (i + 1) * size)])

const expectCount = (name: string, value: number): void => {
  if (Number.isInteger(value) && value >= 1) return
  throw new UsageError(`Expected ${name} to be a whole number of 1 or more, got ${value}`, {
    remedy: `Leave ${name} out to use the default`,
  })
}

const expectPictures = (bytes: number, { image: { size } }: Model): void => {
  if (bytes % (size * size * 3) === 0) return
  throw new EncoderError('pixels-wrong', `Expected pictures of ${size} × ${size} × 3 bytes, got ${bytes} bytes`, {
    remedy: 'Scale each picture to the size of the model that the encoder was opened with',
  })
}
