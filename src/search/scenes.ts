import { UsageError } from '../errors.ts'
import type { CallOptions, Store, VideoRecord } from '../store/store.ts'
import { videoNamed, wholeFrames } from './timeline.ts'

/** A stretch of a video between two changes of what is seen. Times in seconds from the start of the file. */
export type Scene = {
  /** From 1, in the order of time. */
  readonly number: number
  readonly from: number
  /** Where the next one begins; of the last one the end of the video. */
  readonly to: number
  /** Of a frame that stands for it: one from the middle. */
  readonly t: number
}

export type Scenes = {
  readonly path: string
  readonly video: string
  readonly durationSeconds: number | undefined
  readonly scenes: readonly Scene[]
}

/** Frames before a change that are compared with as many after it. */
const framesCompared = 3

/** Cosine of their means below which what is seen has changed; how it was found: docs/library.md. */
const leastLikeness = 0.45

/**
 * Where what is seen changes, by the whole frames that are stored: as exact as the time between two of them.
 *
 * @param video path or fingerprint
 * @throws UsageError if there is no such video, or it was indexed without whole frames
 */
export const scenes = async (
  store: Pick<Store, 'record' | 'records' | 'scan'>,
  video: string,
  { signal }: CallOptions = {},
): Promise<Scenes> => {
  const { record, path } = await videoNamed(store, video, { signal })
  const step = (record.durationSeconds ?? 0) / Math.max(1, record.frames)
  const spans = await spansOf(store, record, step, { signal })
  if (spans.length === 0) {
    throw new UsageError(`No whole frames of ${path} are stored`, {
      remedy: 'Index it without --grid article: vidgrep index --force',
    })
  }
  const end = Math.max(record.durationSeconds ?? 0, spans.at(-1)!.until)
  const starts = [Math.min(0, spans[0]!.t), ...spans.filter((_, i) => isChange(spans, i, step)).map(({ t }) => t)]
  return {
    path,
    video: record.video,
    durationSeconds: record.durationSeconds,
    scenes: starts.map((from, i) => {
      const to = starts[i + 1] ?? end
      return { number: i + 1, from, to, t: frameInMiddle(spans, from, to) }
    }),
  }
}

/** A whole frame that stayed the same from `t` to `until`. */
type Span = { readonly t: number; readonly until: number; likeness: number }

/**
 * The whole frames of a video, each with the cosine of what comes before it and what follows from it on.
 * @param step seconds between two sampled frames
 */
const spansOf = async (
  store: Pick<Store, 'scan'>,
  record: VideoRecord,
  step: number,
  options: CallOptions,
): Promise<readonly Span[]> => {
  const spans: Span[] = []
  // Of the last spans only: their vectors are all that takes up room.
  const held: Held[] = []
  const compare = (i: number): void => {
    const at = i - (spans.length - held.length)
    if (i > 0) spans[i]!.likeness = cosine(meanOf(held.slice(0, at).reverse()), meanOf(held.slice(at)))
  }
  for await (const { t, until, vector } of wholeFrames(store, record, options)) {
    spans.push({ t, until, likeness: 1 })
    held.push({ vector, frames: step > 0 ? 1 + Math.round((until - t) / step) : 1 })
    if (held.length > 2 * framesCompared) held.shift()
    if (spans.length >= framesCompared) compare(spans.length - framesCompared)
  }
  for (let i = Math.max(0, spans.length - framesCompared + 1); i < spans.length; i++) compare(i)
  return spans
}

type Held = { readonly vector: Float32Array; readonly frames: number }

/** Of the nearest frames, nearest first; one that stayed the same counts as often as it was seen. */
const meanOf = (nearest: readonly Held[]): Float32Array => {
  const sum = new Float32Array(nearest[0]!.vector.length)
  let left = framesCompared
  for (const { vector, frames } of nearest) {
    const count = Math.min(left, frames)
    for (let i = 0; i < sum.length; i++) sum[i]! += count * vector[i]!
    left -= count
  }
  return sum
}

const cosine = (a: Float32Array, b: Float32Array): number => {
  let [dot, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!
    aa += a[i]! ** 2
    bb += b[i]! ** 2
  }
  return dot / Math.sqrt(aa * bb || 1)
}

/** Whether a scene begins here: nowhere within two frames is the likeness lower, of equals the first counts. */
const isChange = (spans: readonly Span[], i: number, step: number): boolean => {
  const { t, likeness } = spans[i]!
  if (likeness >= leastLikeness) return false
  const isNear = (span: Span | undefined): span is Span => span !== undefined && Math.abs(span.t - t) < 2.5 * step
  for (let at = i - 1; isNear(spans[at]); at--) if (spans[at]!.likeness <= likeness) return false
  for (let at = i + 1; isNear(spans[at]); at++) if (spans[at]!.likeness < likeness) return false
  return true
}

/** The time of the frame that is nearest to the middle, of those that were sampled. */
const frameInMiddle = (spans: readonly Span[], from: number, to: number): number => {
  const middle = (from + to) / 2
  const within = spans.filter(({ t, until }) => until >= from && t < to)
  const distance = ({ t, until }: Span): number => Math.max(0, t - middle, middle - until)
  const nearest = within.reduce((best, span) => (distance(span) < distance(best) ? span : best), within[0]!)
  return Math.min(nearest.until, Math.max(nearest.t, middle))
}
