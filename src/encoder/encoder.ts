import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { UsageError } from '../errors.ts'
import type { Model } from '../models/model.ts'
import { type DeviceChoice, deviceChoice, folders } from '../settings.ts'
import { EncoderError, type Rows, type TextNotes } from './channel.ts'
import { batchFor, type Placement, shares, sideBySide } from './device.ts'
import { inFlight, openPool } from './pool.ts'

export type EncodeOptions = {
  /** Rejects the call at once with the signal's reason. */
  readonly signal?: AbortSignal
}

export type EncodeTextOptions = EncodeOptions & {
  /** Called for each text that is longer than the model's context: only its beginning was encoded. */
  readonly onTruncated?: (text: string) => void
  /** Called for each text of which the model's vocabulary has nothing: its embedding says nothing. */
  readonly onUnknown?: (text: string) => void
}

/** Turns pictures and texts into embeddings of one space. Runs off the calling thread: the event loop stays free. */
export type Encoder = {
  readonly model: Model
  /** Pictures a batch that run best, may change from one call to the next; callers may send fewer. */
  readonly batchSize: number
  /** Batches to hand over before the first is awaited, so that the encoder never waits; may change as well. */
  readonly batchesAtOnce: number
  /** What pictures and texts are computed on, as soon as some were. */
  readonly placements: { readonly pictures?: Placement; readonly texts?: Placement }
  /** Seconds that the model has computed so far, loading not counted; of several sessions, on average. */
  readonly busy: { readonly seconds: number }
  /** Begins to load the image tower, for a caller that is about to have pictures. A failure is reported with the first of them. */
  load(): void
  /**
   * @param pixels RGB, 8 bits: [count, size, size, 3] with `size` the model's input size in pixels. Not kept: the
   * caller may overwrite it as soon as this call has returned its promise.
   * @returns [count][dimension], each of length 1
   * @throws EncoderError if the length is no multiple of a picture's or the model gives something unusable
   */
  encodePictures(pixels: Uint8Array, options?: EncodeOptions): Promise<readonly Float32Array[]>
  /** Texts that were encoded before, 1000 at most, are remembered. @returns [texts.length][dimension], each of length 1 */
  encodeTexts(texts: readonly string[], options?: EncodeTextOptions): Promise<readonly Float32Array[]>
  /** Ends the workers; calls that are still running reject with an EncoderError of code `encoder-closed`. */
  close(): Promise<void>
}

export type OpenEncoder = {
  /** Threads of all sessions together, 1 or more. @default one a core */
  readonly threads?: number
  /** Sessions side by side on a CPU, 1 or more, each with its share of the threads. @default as many as fit into memory */
  readonly sessions?: number
  /** Most pictures a batch, 1 or more. @default the model's own on a CPU, 16 on a GPU */
  readonly batchSize?: number
  /** Where to compute. Asked for by name, another one is never taken. @default 'auto' */
  readonly device?: DeviceChoice
  /**
   * Where graphs that are prepared for this machine's CPU lie: a first use makes them, later ones start faster and take
   * less memory. `null`: none are made. @default 'prepared' in the cache folder
   */
  readonly preparedFolder?: string | null
  /** Called with what a user may want to know: that a model is being prepared, or cannot be. */
  readonly onNotice?: (notice: string) => void
  /** Closes the encoder. */
  readonly signal?: AbortSignal
}

/** Embeddings of texts that are remembered: 1.5 MB at 384 numbers each. */
const rememberedTexts = 1000

/** Texts a task, so that pictures need not wait long for many of them. */
const textsAtOnce = 4

/**
 * Opens a model for encoding. Costs nothing until the first call: each tower is loaded when it is first needed, so a
 * search never loads the image tower, and may come before an ingest with the same encoder. An open encoder that has
 * nothing to do does not keep the process alive.
 *
 * @throws UsageError if an option is out of range
 */
export const openEncoder = async (model: Model, options: OpenEncoder = {}): Promise<Encoder> => {
  const { signal, threads, sessions, batchSize, device = 'auto', onNotice } = options
  const { preparedFolder = join(folders().cache, 'prepared') } = options
  signal?.throwIfAborted()
  for (const [name, value] of Object.entries({ threads, sessions, batchSize })) expectCount(name, value)

  const pool = openPool({
    model,
    device: deviceChoice(device),
    imageThreads: sessions
      ? () => shares(threads ?? availableParallelism(), sessions)
      : await sideBySide(model, threads),
    preparedFolder: preparedFolder ?? undefined,
    onNotice,
    textThreads: threads ?? restrictedThreads(),
  })
  const pictureBytes = model.image.size ** 2 * 3
  const remembered = new LRUCache<string, EncodedText>({ max: rememberedTexts })
  const placements: { pictures?: Placement; texts?: Placement } = {}
  const busy = { seconds: 0 }
  const untilAborted = createWatch()

  const encodeBatch = async (batch: Uint8Array, stop: AbortSignal | undefined): Promise<readonly Float32Array[]> => {
    const answer = await pool.encodePictures(batch, stop)
    placements.pictures = answer.placement
    busy.seconds += answer.busyMs / 1000 / pool.size
    return unitVectors(answer, batch.length / pictureBytes, model.dimension)
  }
  const encodeTextBatch = async (texts: readonly string[], stop: AbortSignal | undefined): Promise<EncodedText[]> => {
    const answer = await pool.encodeTexts(texts, stop)
    placements.texts = answer.placement
    const vectors = unitVectors(answer, texts.length, model.dimension)
    return vectors.map((vector, i) => ({ text: texts[i]!, vector, ...answer.notes![i]! }))
  }

  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    signal?.removeEventListener('abort', close)
    closing ??= pool.close(signal?.aborted ? signal.reason : closed())
    return closing
  }
  signal?.addEventListener('abort', close)
  const currentBatch = () => batchSize ?? batchFor(model, pool.placement?.device)

  return {
    model,
    get batchSize() {
      return currentBatch()
    },
    get batchesAtOnce() {
      return inFlight * pool.size
    },
    placements,
    busy,
    load: () => void pool.load().catch(() => {}),
    encodePictures: async (pixels, { signal: stop } = {}) => {
      stop?.throwIfAborted()
      expectPictures(pixels.length, model)
      const batches = slices(pixels.length, currentBatch() * pictureBytes)
      const encoding = batches.map(([from, to]) => encodeBatch(pixels.subarray(from, to), stop))
      return (await untilAborted(Promise.all(encoding), stop)).flat()
    },
    encodeTexts: async (texts, { signal: stop, onTruncated, onUnknown } = {}) => {
      stop?.throwIfAborted()
      const known = new Map(texts.map((text) => [text, remembered.get(text)]))
      const missing = [...known.keys()].filter((text) => !known.get(text))
      const encoding = slices(missing.length, textsAtOnce).map(async ([from, to]) => {
        for (const encoded of await encodeTextBatch(missing.slice(from, to), stop)) {
          known.set(encoded.text, encoded)
          remembered.set(encoded.text, encoded)
        }
      })
      await untilAborted(Promise.all(encoding), stop)
      return texts.map((text) => {
        const { vector, truncated, unknown } = known.get(text)!
        if (truncated) onTruncated?.(text)
        if (unknown) onUnknown?.(text)
        return vector.slice()
      })
    },
    close,
  }
}

type EncodedText = TextNotes & { readonly text: string; readonly vector: Float32Array }

/** The runtime counts the machine's cores, also where this process may use only some of them, as in a container. */
const restrictedThreads = (): number | undefined =>
  availableParallelism() < cpus().length ? availableParallelism() : undefined

/** [from, to) of each part of `size`. */
const slices = (length: number, size: number): [number, number][] =>
  Array.from({ length: Math.ceil(length / size) }, (_, i) => [i * size, Math.min(length, (i + 1) * size)])

/**
 * Rejects at once when the signal does; what was waited for goes on. One listener a signal, however many calls wait for
 * it: Node warns of a leak at the eleventh.
 */
const createWatch = () => {
  const waiting = new WeakMap<AbortSignal, Set<() => void>>()
  const callsOf = (signal: AbortSignal): Set<() => void> => {
    const calls = waiting.get(signal) ?? new Set()
    if (!waiting.has(signal)) {
      waiting.set(signal, calls)
      signal.addEventListener('abort', () => [...calls].map((reject) => reject()), { once: true })
    }
    return calls
  }
  return <T>(pending: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    if (!signal) return pending
    const calls = callsOf(signal)
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason)
      calls.add(abort)
      pending.then(resolve, reject).finally(() => calls.delete(abort))
    })
  }
}

/**
 * Cuts what a tower gave into vectors of length 1, each with memory of its own. Models that normalise lose nothing by it.
 *
 * @throws EncoderError if the shape is not [count, dimension], or a row is zero or not finite
 */
const unitVectors = ({ data, dims }: Rows, count: number, dimension: number): Float32Array[] => {
  if (dims.length !== 2 || dims[0] !== count || dims[1] !== dimension || data.length !== count * dimension) {
    throw unusable(`Expected embeddings of shape [${count}, ${dimension}], got [${dims.join(', ')}]`)
  }
  return slices(data.length, dimension).map(([from, to]) => unit(data.slice(from, to)))
}

const unit = (vector: Float32Array): Float32Array => {
  let sum = 0
  for (const x of vector) sum += x * x
  const length = Math.sqrt(sum)
  if (!(length > 0) || !Number.isFinite(length)) {
    throw unusable(`Expected an embedding of finite length above 0, got one of length ${length}`)
  }
  for (let i = 0; i < vector.length; i++) vector[i]! /= length
  return vector
}

const unusable = (message: string): EncoderError =>
  new EncoderError('embedding-unusable', message, { remedy: 'Check the model: vidgrep models verify' })

const closed = (): EncoderError =>
  new EncoderError('encoder-closed', 'Expected an open encoder, got one that was closed', {
    remedy: 'Open the encoder again before encoding with it',
  })

const expectCount = (name: string, value: number | undefined): void => {
  if (value === undefined || (Number.isInteger(value) && value >= 1)) return
  throw new UsageError(`Expected ${name} to be a whole number of 1 or more, got ${value}`, {
    remedy: `Leave out ${name} to use the default`,
  })
}

const expectPictures = (bytes: number, { image: { size } }: Model): void => {
  if (bytes % (size * size * 3) === 0) return
  throw new EncoderError('pixels-wrong', `Expected pictures of ${size} × ${size} × 3 bytes, got ${bytes} bytes`, {
    remedy: 'Scale each picture to the size of the model that the encoder was opened with',
  })
}
