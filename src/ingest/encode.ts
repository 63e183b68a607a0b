import type { Encoder } from '../encoder/encoder.ts'
import type { PatchPlan, PlannedPatch } from '../frames/views.ts'
import { pointId } from '../store/point.ts'
import type { Point } from '../store/store.ts'
import type { Frame } from '../video/video.ts'
import type { Decoded } from './decode.ts'
import type { Job } from './job.ts'

/** Everything but frames passes through the batches untouched, in its place. */
type Passing = Exclude<Decoded, { kind: 'frame' }>

type Patch = { readonly job: Job; readonly frame: Frame; readonly planned: PlannedPatch; readonly id: string }

type Batch = { readonly pixels: Uint8Array; readonly patches: readonly Patch[]; readonly passing: readonly Passing[] }

/** Points of one batch, then what came by while it was filled. */
export type Embedded = {
  readonly points: readonly Point[]
  readonly passing: readonly Passing[]
  readonly last?: Reached
}

/** The last patch of a batch: how far its video is. */
export type Reached = { readonly job: Job; readonly atSeconds: number }

/**
 * Patches of all videos → batches → points. While one batch is in the encoder the next one is filled and handed over,
 * so that the encoder never waits: two batches are in flight, batchSize × size² × 3 bytes each (1.2 MB at 8 × 224²).
 */
export async function* encode(decoded: AsyncIterable<Decoded>, encoder: Encoder, signal?: AbortSignal) {
  let previous: Promise<Embedded> | undefined
  for await (const batch of batches(decoded, encoder)) {
    const current = embed(batch, encoder, signal)
    // Its error surfaces where it is awaited; if an earlier error gets there first, this one says nothing new.
    current.catch(() => {})
    if (previous) yield await previous
    previous = current
  }
  if (previous) yield await previous
}

const embed = async (batch: Batch, encoder: Encoder, signal?: AbortSignal): Promise<Embedded> => {
  const { patches, passing } = batch
  const last = patches.at(-1)
  if (!last) return { points: [], passing }
  const vectors = await encoder.encodePictures(batch.pixels, { signal })
  return {
    points: patches.map((patch, i) => pointOf(patch, vectors[i]!)),
    passing,
    last: { job: last.job, atSeconds: last.frame.timestampSeconds },
  }
}

const pointOf = ({ job, frame, planned, id }: Patch, vector: Float32Array): Point => ({
  id,
  vector,
  video: job.video,
  path: job.files[0].path,
  t: frame.timestampSeconds,
  until: frame.timestampSeconds,
  patch: planned.number,
  box: planned.box,
})

/** What may wait for a batch to fill up; then it goes on with a smaller one, so that nothing is told hours late. */
const mostPassing = 8

/**
 * One buffer serves all batches: the encoder has taken its content when the next one is asked for. It is only replaced
 * when the encoder has found out that batches of another size run better.
 */
async function* batches(decoded: AsyncIterable<Decoded>, encoder: Encoder): AsyncGenerator<Batch> {
  const patchBytes = encoder.model.image.size ** 2 * 3
  let size = encoder.batchSize
  let pixels = new Uint8Array(patchBytes * size)
  let patches: Patch[] = []
  let passing: Passing[] = []
  const take = (): Batch => {
    const batch = { pixels: pixels.subarray(0, patches.length * patchBytes), patches, passing }
    patches = []
    passing = []
    if (size !== encoder.batchSize) {
      size = encoder.batchSize
      pixels = new Uint8Array(patchBytes * size)
    }
    return batch
  }
  for await (const item of decoded) {
    if (item.kind !== 'frame') {
      passing.push(item)
      if (patches.length === 0 || passing.length >= mostPassing) yield take()
      continue
    }
    for (const patch of newPatches(item.job, item.frame, item.plan)) {
      patch.planned.cut(item.frame, pixels, patches.length * patchBytes)
      patches.push(patch)
      if (patches.length === size) yield take()
    }
  }
  if (patches.length > 0 || passing.length > 0) yield take()
}

/** The patches of a frame that are not stored yet. */
function* newPatches(job: Job, frame: Frame, plan: PatchPlan): Generator<Patch> {
  for (const planned of plan.patches) {
    const id = pointId(job.video, job.model, frame.timestampSeconds, planned.number)
    if (job.stored.has(id)) {
      job.known += 1
    } else {
      job.encoded += 1
      yield { job, frame, planned, id }
    }
  }
}
