import type { Encoder } from '../encoder/encoder.ts'
import { thumbnailOf } from '../patches/unchanged.ts'
import type { PlannedPatch } from '../patches/views.ts'
import { pointId } from '../store/point.ts'
import type { Decoded } from './decoded.ts'
import type { Job } from './job.ts'
import type { Span } from './spans.ts'

/** Everything but frames passes through the batches untouched, in its place. */
export type Passing = Exclude<Decoded, { kind: 'frame' }>

type FrameOfJob = Extract<Decoded, { kind: 'frame' }>

/** What is to be encoded together, of whatever videos. */
export type Batch = {
  /** RGB, 8 bits: [begun.length, size, size, 3]. Written over when the next batch is asked for. */
  readonly pixels: Uint8Array
  /** One a picture. */
  readonly begun: readonly Span[]
  /** What came to its end while the batch was filled; it began in this batch or in an earlier one. */
  readonly ended: readonly Span[]
  readonly passing: readonly Passing[]
  readonly reached: Reached | undefined
}

/** The last frame that was looked at. */
export type Reached = { readonly job: Job; readonly atSeconds: number }

/** What may wait for a batch to fill up; then it goes on with a smaller one, so that nothing is told hours late. */
const mostPassing = 8
const mostFrames = 32

/**
 * Frames of all videos → batches of the patches that are neither stored nor look as they did when they were last encoded.
 *
 * One buffer serves all batches: the encoder has taken its content when the next one is asked for. It is only replaced
 * when the encoder has found out that batches of another size run better.
 */
export async function* batches(decoded: AsyncIterable<Decoded>, encoder: Encoder): AsyncGenerator<Batch> {
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

  const end = (span: Span | undefined): void => {
    if (span && !span.isStored) ended.push(span)
  }
  return {
    isFull: () => begun.length === size,
    isEmpty: () => begun.length + ended.length + passing.length === 0,
    /** Nothing that was told may wait for long. */
    isDue: () => (begun.length === 0 && passing.length > 0) || passing.length >= mostPassing || frames >= mostFrames,
    pass: (item: Passing): void => {
      passing.push(item)
      // It takes as long as the first frames do.
      if (item.kind === 'started') encoder.load()
      if (item.kind === 'ended') for (const span of item.job.spans.end()) end(span)
    },
    reach: ({ job, frame }: FrameOfJob): void => {
      reached = { job, atSeconds: frame.timestampSeconds }
      frames += 1
    },
    /** Takes the patch in, if it has to be encoded. */
    look: ({ job, frame }: FrameOfJob, planned: PlannedPatch): void => {
      const t = frame.timestampSeconds
      const id = pointId(job.video, job.model, t, planned.number)
      // What is stored was encoded, so a span began here, whatever a comparison would say now.
      const isStored = job.stored.has(id)
      if (isStored && !job.spans.compares) {
        job.known += 1
        return
      }
      const at = begun.length * pictureBytes
      planned.cut(frame, pixels, at)
      const thumbnail = job.spans.compares ? thumbnailOf(pixels, at, edge) : undefined
      if (!isStored && thumbnail && job.spans.extend(planned.number, thumbnail, t)) {
        job.unchanged += 1
        return
      }
      const place = { video: job.video, path: job.files[0].path, t, until: t, patch: planned.number, box: planned.box }
      const span: Span = { id, ...place, thumbnail, isStored }
      end(job.spans.begin(span))
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
