import type { Encoder } from '../encoder/encoder.ts'
import type { Point } from '../store/store.ts'
import type { Decoded } from './decoded.ts'
import { type Batch, batches, type Passing, type Reached } from './patches.ts'
import type { Span } from './spans.ts'

/** What came of one batch: the points that are at their end, then what came by while it was filled. */
export type Embedded = {
  readonly points: readonly Point[]
  readonly passing: readonly Passing[]
  /** How far the last video in it is. */
  readonly reached: Reached | undefined
  /** Patches that went through the encoder. */
  readonly encoded: number
}

export type EncodeOptions = {
  readonly signal?: AbortSignal
  /** Told each time that a batch is through. */
  readonly onBatch?: () => void
}

/**
 * Frames of all videos → batches → points. While some batches are in the encoder the next one is filled and handed over,
 * so that the encoder never waits: two are in flight for each of its sessions, batchSize × size² × 3 bytes each (0.6 MB
 * at 4 × 224²).
 */
export async function* encode(
  decoded: AsyncIterable<Decoded>,
  encoder: Encoder,
  options: EncodeOptions = {},
): AsyncGenerator<Embedded> {
  const underWay: (() => Promise<Embedded>)[] = []
  for await (const batch of batches(decoded, encoder)) {
    underWay.push(embed(batch, encoder, options))
    while (underWay.length >= encoder.batchesAtOnce) yield await underWay.shift()!()
  }
  for (const embedded of underWay) yield await embedded()
}

/** Hands the batch to the encoder at once; what comes back is to be called in the order of the batches. */
const embed = (batch: Batch, encoder: Encoder, { signal, onBatch }: EncodeOptions): (() => Promise<Embedded>) => {
  const { pixels, begun, ended, passing, reached } = batch
  const encoding = begun.length > 0 ? encoder.encodePictures(pixels, { signal }) : undefined
  // Its error surfaces where it is awaited; if an earlier error gets there first, this one says nothing new.
  encoding?.catch(() => {})
  return async () => {
    const vectors = await encoding
    if (vectors) onBatch?.()
    for (const [i, span] of begun.entries()) span.vector = vectors![i]!
    return { points: ended.map(pointOf), passing, reached, encoded: begun.length }
  }
}

const pointOf = ({ id, video, path, t, until, patch, box, vector }: Span): Point => ({
  id,
  vector: vector!,
  video,
  path,
  t,
  until,
  patch,
  box,
})
