import type { Encoder } from '../encoder/encoder.ts'
import { differenceOf, isFlat, type Thumbnail, thumbnailOf } from '../patches/unchanged.ts'
import type { PlannedPatch } from '../patches/views.ts'
import { pointId } from '../store/point.ts'
import type { Point } from '../store/store.ts'
import type { Decoded } from './decode.ts'
import { type Job, noteFlat } from './job.ts'

/** What came of one batch: the points whose spans ended, then what passed by while it was filled. */
export type Embedded = {
  readonly points: readonly Point[]
  readonly passing: readonly Passing[]
  /** The last frame that was looked at. */
  readonly reached: Reached | undefined
  /** Patches that went through the encoder. */
  readonly encoded: number
}

/** Everything but frames passes through the batches unchanged, in its place. */
export type Passing = Exclude<Decoded, { kind: 'frame' }>

export type Reached = { readonly job: Job; readonly atSeconds: number }

export type EncodeOptions = {
  readonly signal?: AbortSignal
  /** Called after each batch. */
  readonly onBatch?: () => void
}

/** A point in the making: from the frame that is encoded to the last one in which its patch looked the same. */
type Span = Omit<Point, 'vector' | 'until'> & {
  until: number
  /** Of the frame at `t`: later frames are compared with what was encoded, so that a slow drift adds up. */
  readonly thumbnail: Thumbnail | undefined
  /** An earlier run wrote it already. */
  readonly isStored: boolean
  /** Set once its batch is encoded. */
  vector?: Float32Array
}

/** What may wait for a batch to fill up; then a smaller one is encoded, so that events are not hours late. */
const mostPassing = 8
const mostFrames = 32

/**
 * Frames of all videos → batches of the patches that are neither stored nor unchanged → points.
 *
 * While some batches are in the encoder the next one is filled and handed over, so that the encoder never waits: two are
 * in flight for each of its sessions, batchSize × size² × 3 bytes each (0.6 MB at 4 × 224²).
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

/** Hands the batch to the encoder at once; what is returned is to be called in the order of the batches. */
const embed = (batch: Batch, encoder: Encoder, { signal, onBatch }: EncodeOptions): (() => Promise<Embedded>) => {
  const { pixels, begun, ended, passing, reached } = batch
  const encoding = begun.length > 0 ? encoder.encodePictures(pixels, { signal }) : undefined
  // Thrown where it is awaited; after an earlier error it says nothing new.
  encoding?.catch(() => {})
  return async () => {
    const vectors = await encoding
    if (vectors) onBatch?.()
    for (const [i, span] of begun.entries()) span.vector = vectors![i]!
    return { points: ended.map(pointOf), passing, reached, encoded: begun.length }
  }
}

const pointOf = ({ id, video, path, t, until, patch, box, vector }: Span): Point => ({
  ...{ id, vector: vector!, video, path, t, until, patch, box },
})

type FrameOfJob = Extract<Decoded, { kind: 'frame' }>

/** What is to be encoded together, of any videos. */
type Batch = {
  /** RGB, 8 bits: [begun.length, size, size, 3]. Overwritten when the next batch is asked for. */
  readonly pixels: Uint8Array
  /** One a picture. */
  readonly begun: readonly Span[]
  /** Spans that ended while the batch was filled; they began in this batch or in an earlier one. */
  readonly ended: readonly Span[]
  readonly passing: readonly Passing[]
  readonly reached: Reached | undefined
}

/** One buffer serves all batches of one size: the encoder has taken its content when the next one is asked for. */
async function* batches(decoded: AsyncIterable<Decoded>, encoder: Encoder): AsyncGenerator<Batch> {
  const batch = openBatch(encoder)
  for await (const item of decoded) {
    if (item.kind !== 'frame') {
      batch.pass(item)
    } else {
      batch.reach(item)
      for (const planned of item.plan.patches) {
        batch.look(item, planned)
        if (batch.isFull()) yield batch.take()
      }
      item.frame.done?.()
    }
    if (batch.isDue()) yield batch.take()
  }
  if (!batch.isEmpty()) yield batch.take()
}

/** The batch that is being filled. */
const openBatch = (encoder: Encoder) => {
  const { size: edge } = encoder.model.image
  const pictureBytes = edge ** 2 * 3
  let size = encoder.batchSize
  let pixels = new Uint8Array(pictureBytes * size)
  let begun: Span[] = []
  let ended: Span[] = []
  let passing: Passing[] = []
  let reached: Reached | undefined
  let frames = 0
  const openSpansOf = new Map<Job, OpenSpans>()

  const spansOf = (job: Job): OpenSpans => {
    const spans = openSpansOf.get(job) ?? openSpans(job.tolerance)
    openSpansOf.set(job, spans)
    return spans
  }
  const end = (span: Span | undefined): void => {
    if (span && !span.isStored) ended.push(span)
  }
  return {
    isFull: () => begun.length === size,
    isEmpty: () => begun.length + ended.length + passing.length === 0,
    isDue: () => (begun.length === 0 && passing.length > 0) || passing.length >= mostPassing || frames >= mostFrames,
    pass: (item: Passing): void => {
      passing.push(item)
      // The model takes as long to load as the first frames to decode.
      if (item.kind === 'started') encoder.load()
      if (item.kind === 'ended') {
        for (const span of spansOf(item.job).end()) end(span)
        openSpansOf.delete(item.job)
      }
    },
    reach: ({ job, frame }: FrameOfJob): void => {
      reached = { job, atSeconds: frame.timestampSeconds }
      frames += 1
    },
    /** Adds the patch if it has to be encoded. */
    look: ({ job, frame }: FrameOfJob, planned: PlannedPatch): void => {
      const t = frame.timestampSeconds
      const id = pointId(job.video, job.model, t, planned.number)
      // What is stored was encoded, so a span began here, whatever a comparison would say now.
      const isStored = job.stored.has(id)
      const spans = spansOf(job)
      const isWhole = planned.number === 0
      if (isStored && !spans.compares && !isWhole) {
        job.known += 1
        return
      }
      const at = begun.length * pictureBytes
      planned.cut(frame, pixels, at)
      const small = spans.compares || isWhole ? thumbnailOf(pixels, at, edge) : undefined
      if (isWhole) noteFlat(job, t, isFlat(small!))
      const thumbnail = spans.compares ? small : undefined
      if (!isStored && thumbnail && spans.extend(planned.number, thumbnail, t)) {
        job.unchanged += 1
        return
      }
      const place = { video: job.video, path: job.files[0].path, t, until: t, patch: planned.number, box: planned.box }
      const span: Span = { id, ...place, thumbnail, isStored }
      end(spans.begin(span))
      if (isStored) job.known += 1
      else {
        job.encoded += 1
        begun.push(span)
      }
    },
    take: (): Batch => {
      const batch = { pixels: pixels.subarray(0, begun.length * pictureBytes), begun, ended, passing, reached }
      begun = []
      ended = []
      passing = []
      frames = 0
      if (size !== encoder.batchSize) {
        size = encoder.batchSize
        pixels = new Uint8Array(pictureBytes * size)
      }
      return batch
    },
  }
}

/** The spans of one video that have not ended: at most one a patch number. */
type OpenSpans = {
  /** Whether patches are compared at all; if not, each is a span of its own. */
  readonly compares: boolean
  /** Whether the patch looks as it did when it was last encoded; then its span reaches to this time. */
  extend(patch: number, thumbnail: Thumbnail, timestampSeconds: number): boolean
  /** @returns the span that ends because of it */
  begin(span: Span): Span | undefined
  /** The video is over. @returns what was still open */
  end(): Iterable<Span>
}

/** @param tolerance levels (0–255) that a patch may differ and still look the same */
const openSpans = (tolerance: number): OpenSpans => {
  const open = new Map<number, Span>()
  return {
    compares: tolerance > 0,
    extend: (patch, thumbnail, timestampSeconds) => {
      const span = open.get(patch)
      if (!span?.thumbnail || differenceOf(span.thumbnail, thumbnail) >= tolerance) return false
      span.until = timestampSeconds
      return true
    },
    begin: (span) => {
      if (!span.thumbnail) return span
      const before = open.get(span.patch)
      open.set(span.patch, span)
      return before
    },
    end: () => open.values(),
  }
}
