import type { Encoder } from './encoder.ts'

export type Rate = {
  /** Pictures a batch. */
  readonly batchSize: number
  /** Milliseconds a picture, the best of several tries: what disturbs only ever slows down. */
  readonly msPerPicture: number
}

export type MeasureOptions = {
  /** Pictures a batch. */
  readonly sizes: readonly number[]
  /** Milliseconds that measuring may take; a batch that is not expected to fit is not begun. */
  readonly budgetMs: number
  /** Milliseconds a picture, as far as is known: what the first batch is expected to take. */
  readonly msPerPicture: number
  readonly now: () => number
}

/** Times each size is tried. */
const rounds = 2

/**
 * Encodes grey pictures in batches of several sizes. The encoder must have encoded before: loading is no measure.
 *
 * @returns a rate for each size that there was time for
 */
export const measureBatches = async (
  encoder: Encoder,
  { sizes, budgetMs, msPerPicture, now }: MeasureOptions,
): Promise<readonly Rate[]> => {
  const startedMs = now()
  const best = new Map<number, number>()
  for (let round = 0; round < rounds; round++) {
    for (const size of sizes) {
      const expectedMs = size * (best.size > 0 ? Math.min(...best.values()) : msPerPicture)
      if (now() - startedMs + expectedMs > budgetMs) continue
      const ms = (await timeBatch(encoder, size, now)) / size
      best.set(size, Math.min(ms, best.get(size) ?? ms))
    }
  }
  return sizes.filter((size) => best.has(size)).map((batchSize) => ({ batchSize, msPerPicture: best.get(batchSize)! }))
}

/** @returns milliseconds that a batch of grey pictures takes */
export const timeBatch = async (encoder: Encoder, size: number, now: () => number): Promise<number> => {
  const pixels = new Uint8Array(size * encoder.model.image.size ** 2 * 3).fill(128)
  const startedMs = now()
  await encoder.encodePictures(pixels)
  return now() - startedMs
}

/** How much faster, as a fraction of the time, something has to be to be taken in place of the default. */
const clearly = 0.05

/** The first one, unless another is clearly faster; `undefined` if there is none. */
export const fastest = (rates: readonly Rate[]): Rate | undefined => {
  const [first] = rates
  const [best] = rates.toSorted((a, b) => a.msPerPicture - b.msPerPicture)
  return best && first && best.msPerPicture < first.msPerPicture * (1 - clearly) ? best : first
}
