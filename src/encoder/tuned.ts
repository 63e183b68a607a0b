import type { Model } from '../models/model.ts'
import { defaultBatchSize, type EncodeOptions, type Encoder, type OpenEncoder } from './encoder.ts'
import { openEncoder, slices } from './open.ts'
import { untilAborted } from './queue.ts'
import { sideBySide } from './sessions.ts'
import { largestBatch, type TuneOptions, tune } from './tune.ts'
import { type Tuning, type TuningMemory, tuningKey, tuningMemory } from './tuning.ts'

export type OpenTuned = Omit<OpenEncoder, 'sessions'> &
  TuneOptions & {
    /** Default: a file in the cache folder. */
    readonly memory?: TuningMemory
    readonly open?: typeof openEncoder
  }

/**
 * An encoder for much work: on a CPU several sessions side by side; on a GPU the batch size, if it was not given, is
 * measured before the first picture is encoded, once a model and machine, and remembered. Nothing is measured as long as
 * no picture comes.
 *
 * @param options `threads` are those of all sessions together
 */
export const openTunedEncoder = async (model: Model, options: OpenTuned = {}): Promise<Encoder> => {
  const { memory = tuningMemory(), open = openEncoder, batchSize } = options
  const shared = { ...options, ...(await sideBySide(model, options.threads)) }
  if (batchSize !== undefined) return open(model, shared)
  const key = tuningKey(model.id, options.device ?? 'auto')
  const known = await memory.read(key)
  if (!known) {
    const first = await open(model, { ...shared, batchSize: largestBatch })
    return measuring(first, options, (tuning) => memory.write(key, tuning))
  }
  const encoder = await open(model, { ...shared, batchSize: known.batchSize })
  return {
    ...encoder,
    get batchesAtOnce() {
      return encoder.batchesAtOnce
    },
    encodePictures: async (pixels, given) => {
      const embeddings = await encoder.encodePictures(pixels, given)
      // A GPU that came or went makes what is remembered worthless: the next run measures anew.
      const device = encoder.placements.pictures?.device
      if (device !== undefined && device !== known.device) await memory.write(key, undefined)
      return embeddings
    },
  }
}

/** Measures at the first picture. */
const measuring = (encoder: Encoder, options: TuneOptions, remember: (tuning: Tuning) => Promise<void>): Encoder => {
  const pictureBytes = encoder.model.image.size ** 2 * 3
  let batchSize = defaultBatchSize
  let isReady = false
  let loading: Promise<void> | undefined

  const choose = async (): Promise<void> => {
    const tuning = await tune(encoder, options)
    if (tuning) {
      batchSize = tuning.batchSize
      await remember(tuning)
    }
    isReady = true
  }
  const load = (): Promise<void> => {
    loading ??= choose()
    loading.catch(() => {})
    return loading
  }
  const inBatches = async (pixels: Uint8Array, given: EncodeOptions): Promise<readonly Float32Array[]> => {
    const parts = slices(pixels.length, batchSize * pictureBytes)
    return (
      await Promise.all(parts.map(([from, to]) => encoder.encodePictures(pixels.subarray(from, to), given)))
    ).flat()
  }
  return {
    ...encoder,
    get batchSize() {
      return batchSize
    },
    get batchesAtOnce() {
      return encoder.batchesAtOnce
    },
    load,
    encodePictures: async (pixels, given = {}) => {
      if (isReady) return inBatches(pixels, given)
      given.signal?.throwIfAborted()
      // The caller may overwrite its pixels while they wait.
      const kept = pixels.slice()
      await untilAborted(load(), given.signal)
      return inBatches(kept, given)
    },
  }
}
