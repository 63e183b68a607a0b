import { availableParallelism } from 'node:os'
import type { Device } from './device.ts'
import { defaultBatchSize, type Encoder, type OpenEncoder } from './encoder.ts'
import { fastest, measureBatches, type Rate, timeBatch } from './measure.ts'
import { openEncoder } from './open.ts'
import type { Tuning } from './tuning.ts'

export type TuneOptions = {
  /** Milliseconds that measuring may take once the model is loaded. @default 1200 */
  readonly budgetMs?: number | undefined
  readonly open?: typeof openEncoder | undefined
  readonly now?: (() => number) | undefined
}

export type Choice = {
  /** The one that was given, or another one, if that did better: the given one is closed then. */
  readonly encoder: Encoder
  readonly tuning: Tuning
}

/**
 * Pictures a batch that are tried, the default first. On a CPU there is nothing to try: 4, 8 and 16 are equally fast alone,
 * but beside decoders 4 indexes 5% faster than 8, and 8 as much faster than 16, as they share the cache.
 */
const sizesOn = (device: Device): readonly number[] => (device === 'cpu' ? [defaultBatchSize] : [16, 8, 32, 64])

export const largestBatch = 64

/**
 * Measures which batch size runs best, and whether the runtime's own number of threads does better or one a core that this
 * process may use. What was not given stays open to choice. A model so heavy that the budget allows no measure gets the
 * defaults.
 *
 * @param first opened with these options and a batch of at most {@link largestBatch}; nothing was encoded with it yet
 */
export const tune = async (first: Encoder, options: OpenEncoder & TuneOptions): Promise<Choice> => {
  const { budgetMs = 1200, now = () => performance.now() } = options
  const loadMs = await timeBatch(first, 1, now)
  const startedMs = now()
  const left = () => budgetMs - (now() - startedMs)
  const { device } = first.placements.pictures!
  const sizes = options.batchSize === undefined ? sizesOn(device) : [options.batchSize]
  const warmMs = await timeBatch(first, 1, now)
  const rates = await measureBatches(first, { sizes, budgetMs: left(), msPerPicture: warmMs, now })
  const rate = fastest(rates) ?? { batchSize: sizes[0]!, msPerPicture: warmMs }
  const choice = (encoder: Encoder, { batchSize, msPerPicture }: Rate, threads: number | undefined): Choice => ({
    encoder,
    tuning: {
      batchSize,
      threads,
      picturesPerSecond: Math.round(10_000 / msPerPicture) / 10,
      device,
      measuredAt: new Date().toISOString(),
    },
  })
  const threads = availableParallelism()
  const worthIt = device === 'cpu' && options.threads === undefined && threads > 1
  if (!worthIt || loadMs + 3 * rate.batchSize * rate.msPerPicture > left()) return choice(first, rate, options.threads)
  const other = await withThreads(first, threads, rate, { ...options, now })
  return other ? choice(other.encoder, other.rate, threads) : choice(first, rate, undefined)
}

/** @returns another encoder, `undefined` if it is not clearly faster */
const withThreads = async (
  first: Encoder,
  threads: number,
  rate: Rate,
  options: OpenEncoder & TuneOptions & { readonly now: () => number },
): Promise<{ encoder: Encoder; rate: Rate } | undefined> => {
  const { open = openEncoder, now } = options
  const other = await open(first.model, { ...options, threads, batchSize: rate.batchSize })
  let found: Rate | undefined
  try {
    await timeBatch(other, 1, now)
    const sizes = [rate.batchSize]
    const [faster] = await measureBatches(other, { sizes, budgetMs: Number.POSITIVE_INFINITY, msPerPicture: 0, now })
    found = faster && fastest([rate, faster]) === faster ? faster : undefined
  } finally {
    await (found ? first : other).close()
  }
  return found && { encoder: other, rate: found }
}
