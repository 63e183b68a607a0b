import { defaultBatchSize, type Encoder } from './encoder.ts'
import { fastest, measureBatches, timeBatch } from './measure.ts'
import type { Tuning } from './tuning.ts'

export type TuneOptions = {
  /** Milliseconds that measuring may take once the model is loaded. @default 1200 */
  readonly budgetMs?: number
  readonly now?: () => number
}

/** Pictures a batch that are tried on a GPU, the default first. */
const sizes: readonly number[] = [16, 8, 32, 64]

export const largestBatch = 64

/**
 * Measures which batch size runs best on a GPU. On a CPU there is nothing to try: 4, 8 and 16 are equally fast alone, but
 * beside decoders 4 indexes 5% faster than 8, and 8 as much faster than 16, as they share the cache.
 *
 * @param encoder opened for a batch of at most {@link largestBatch}; nothing was encoded with it yet
 * @returns what it found, `undefined` on a CPU
 */
export const tune = async (
  encoder: Encoder,
  { budgetMs = 1200, now = () => performance.now() }: TuneOptions,
): Promise<Tuning | undefined> => {
  await timeBatch(encoder, 1, now)
  const { device } = encoder.placements.pictures!
  if (device === 'cpu') return undefined
  const startedMs = now()
  const warmMs = await timeBatch(encoder, 1, now)
  const rates = await measureBatches(encoder, {
    sizes,
    budgetMs: budgetMs - (now() - startedMs),
    msPerPicture: warmMs,
    now,
  })
  const rate = fastest(rates) ?? { batchSize: defaultBatchSize, msPerPicture: warmMs }
  return {
    batchSize: rate.batchSize,
    picturesPerSecond: Math.round(10_000 / rate.msPerPicture) / 10,
    device,
    measuredAt: new Date().toISOString(),
  }
}
