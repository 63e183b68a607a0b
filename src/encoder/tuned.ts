import type { Model } from '../models/model.ts'
import { defaultBatchSize, type Encoder, type OpenEncoder } from './encoder.ts'
import { openEncoder, slices } from './open.ts'
import { untilAborted } from './queue.ts'
import { type Choice, largestBatch, type TuneOptions, tune } from './tune.ts'
import { type TuningMemory, tuningKey, tuningMemory } from './tuning.ts'

export type OpenTuned = OpenEncoder &
  TuneOptions & {
    /** Default: a file in the cache folder. */
    readonly memory?: TuningMemory | undefined
  }

/**
 * An encoder for much work: threads and batch size that were not given are measured before the first picture is encoded,
 * once a model and machine, and remembered. Nothing is measured as long as no picture comes.
 */
export const openTunedEncoder = async (model: Model, options: OpenTuned = {}): Promise<Encoder> => {
  const { memory = tuningMemory(), open = openEncoder, threads, batchSize } = options
  if (threads !== undefined && batchSize !== undefined) return open(model, options)
  const key = tuningKey(model.id, options.device ?? 'auto')
  const known = await memory.read(key)
  if (!known) {
    const complete = threads === undefined && batchSize === undefined
    return measuring(model, options, async ({ tuning }) => complete && memory.write(key, tuning))
  }
  const encoder = await open(model, {
    ...options,
    threads: threads ?? known.threads,
    batchSize: batchSize ?? known.batchSize,
  })
  return {
    ...encoder,
    encodePictures: async (pixels, given) => {
      const embeddings = await encoder.encodePictures(pixels, given)
      // A GPU that came or went makes what is remembered worthless: the next run measures anew.
      const device = encoder.placements.pictures?.device
      if (device !== undefined && device !== known.device) await memory.write(key, undefined)
      return embeddings
    },
  }
}

/** Measures at the first picture; the encoder that did best then goes on. */
const measuring = async (
  model: Model,
  options: OpenTuned,
  remember: (choice: Choice) => Promise<unknown>,
): Promise<Encoder> => {
  const { open = openEncoder, batchSize } = options
  const first = await open(model, { ...options, batchSize: batchSize ?? largestBatch })
  const pictureBytes = model.image.size ** 2 * 3
  let current = { encoder: first, batchSize: batchSize ?? defaultBatchSize }
  let ready: Promise<void> | undefined

  const choose = async (): Promise<void> => {
    const choice = await tune(first, options)
    current = { encoder: choice.encoder, batchSize: choice.tuning.batchSize }
    await remember(choice)
  }
  const load = (): Promise<void> => {
    ready ??= choose()
    ready.catch(() => {})
    return ready
  }
  return {
    model,
    get batchSize() {
      return current.batchSize
    },
    get placements() {
      return current.encoder.placements
    },
    get busy() {
      return current.encoder.busy
    },
    load,
    encodePictures: async (pixels, given = {}) => {
      given.signal?.throwIfAborted()
      // The caller may overwrite its pixels while they wait.
      const kept = pixels.slice()
      await untilAborted(load(), given.signal)
      const parts = slices(kept.length, current.batchSize * pictureBytes)
      const encoded = parts.map(([from, to]) => current.encoder.encodePictures(kept.subarray(from, to), given))
      return (await Promise.all(encoded)).flat()
    },
    encodeTexts: (texts, given) => current.encoder.encodeTexts(texts, given),
    close: async () => {
      await first.close()
      await ready?.catch(() => {})
      await current.encoder.close()
    },
  }
}
