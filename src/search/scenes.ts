import { UsageError } from '../errors.ts'
import { dot } from '../store/point.ts'
import type { CallOptions, Point, Store, VideoRecord } from '../store/store.ts'
import { isFlatAt, sampledEverySeconds, videoNamed, wholeFrames } from './timeline.ts'

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

/**
 * Cosines of their means: below the first what is seen has changed, from the second on it has not. In between a part of
 * the picture may have changed alone, as when a car drives into an empty street: then its squares decide, and where there
 * are none the last one. How they were found: docs/library.md.
 */
const changedLikeness = 0.3
const unchangedLikeness = 0.6
const changedWithoutParts = 0.45

/** A change leaves no more than a quarter of the squares with more than this cosine of their means. */
const unchangedPart = 0.62

/**
 * Where what is seen changes, by the whole frames that are stored, and their squares in doubt: as exact as the time
 * between two frames.
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
  const spans: Point[] = []
  for await (const span of wholeFrames(store, record, { signal })) spans.push(span)
  if (spans.length === 0) {
    throw new UsageError(`No whole frames of ${path} are stored`, {
      remedy: 'Index it without --grid article: vidgrep index --force',
    })
  }
  const frames = sampledFrames(spans, record)
  const changes = await findChanges(frames, (times) => partsLikeness(store, spans[0]!, times, { signal }))
  const end = Math.max(record.durationSeconds ?? 0, spans.at(-1)!.until)
  const starts = [Math.min(0, spans[0]!.t), ...changes.map((i) => frames[i]!.t)]
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

/** A frame as it was sampled, the first of a span or one that looked the same. */
type Sampled = Pick<Point, 't' | 'vector'> & { readonly isFirst: boolean; readonly isFlat: boolean }

const sampledFrames = (spans: readonly Point[], record: VideoRecord): readonly Sampled[] => {
  const step = sampledEverySeconds(record)
  return spans.flatMap(({ t, until, vector }) => {
    const isFlat = isFlatAt(record, t)
    const count = step > 0 ? 1 + Math.round((until - t) / step) : 1
    const apart = (until - t) / Math.max(1, count - 1)
    return Array.from({ length: count }, (_, i) => ({ t: t + i * apart, vector, isFirst: i === 0, isFlat }))
  })
}

/** Times of the frames on both sides of a change. */
type Sides = { readonly before: readonly number[]; readonly after: readonly number[] }

/** Of the squares, what a quarter of them keep; `undefined` where there are none. */
type PartsLikeness = (times: Sides) => Promise<number | undefined>

/**
 * Frames at which a scene begins, in the order of time.
 *
 * First where nowhere within two frames the likeness is lower. Then within two frames of these, as far as the frames of
 * one scene reach: a short scene's two ends are closer to each other than the frames that are compared.
 */
const findChanges = async (frames: readonly Sampled[], parts: PartsLikeness): Promise<readonly number[]> => {
  const likeness = frames.map(({ isFirst }, i) => (isFirst && i > 0 ? likenessAt(frames, i) : 1))
  const found: number[] = []
  for (const [i, cosine] of likeness.entries()) {
    // Of equals the first counts.
    const isLowest = around(i).every((at) => (at < i ? likeness[at]! > cosine : (likeness[at] ?? 1) >= cosine))
    if (cosine < unchangedLikeness && isLowest && (await isChange(frames, i, whole(frames), parts))) found.push(i)
  }
  for (const waiting = [...found]; waiting.length > 0; ) {
    const change = waiting.pop()!
    const [next] = (await Promise.all(around(change).map((i) => besideChange(frames, i, found, parts))))
      .filter((each) => each !== undefined)
      .sort((a, b) => a.likeness - b.likeness)
    if (!next) continue
    found.push(next.i)
    waiting.push(change, next.i)
  }
  return found.sort((a, b) => a - b)
}

/** Frames of one scene, the end not among them. */
type Reach = { readonly from: number; readonly to: number }

const whole = ({ length }: readonly Sampled[]): Reach => ({ from: 0, to: length })

const around = (i: number): readonly number[] => [i - 2, i - 1, i + 1, i + 2].filter((at) => at > 0)

/** Whether a scene begins at a frame that is near to where others begin. */
const besideChange = async (
  frames: readonly Sampled[],
  i: number,
  found: readonly number[],
  parts: PartsLikeness,
): Promise<{ readonly i: number; readonly likeness: number } | undefined> => {
  if (!frames[i]?.isFirst || found.includes(i)) return undefined
  const from = Math.max(0, ...found.filter((at) => at < i))
  const to = Math.min(frames.length, ...found.filter((at) => at > i))
  const likeness = likenessAt(frames, i, { from, to })
  // Of one frame alone only the plainest is a scene: it may be half of a fade, or black.
  const lone = from > 0 && i - from === 1 ? from : to < frames.length && to - i === 1 ? i : undefined
  const isScene =
    lone === undefined
      ? await isChange(frames, i, { from, to }, parts)
      : likeness < changedLikeness && !frames[lone]!.isFlat
  return isScene ? { i, likeness } : undefined
}

const isChange = async (
  frames: readonly Sampled[],
  i: number,
  reach: Reach,
  parts: PartsLikeness,
): Promise<boolean> => {
  const likeness = likenessAt(frames, i, reach)
  if (likeness < changedLikeness || likeness >= unchangedLikeness) return likeness < changedLikeness
  const { before, after } = sidesOf(frames, i, reach)
  const times = (side: readonly Sampled[]) => side.map(({ t }) => t)
  const kept = await parts({ before: times(before), after: times(after) })
  return kept === undefined ? likeness < changedWithoutParts : kept < unchangedPart
}

const sidesOf = (frames: readonly Sampled[], i: number, { from, to }: Reach) => ({
  before: frames.slice(Math.max(from, i - framesCompared), i),
  after: frames.slice(i, Math.min(to, i + framesCompared)),
})

const likenessAt = (frames: readonly Sampled[], i: number, reach = whole(frames)): number => {
  const { before, after } = sidesOf(frames, i, reach)
  return cosineOfMeans(
    before.map(({ vector }) => vector),
    after.map(({ vector }) => vector),
  )
}

/** Compares each square of the frames before with the same one of those after. */
const partsLikeness = async (
  store: Pick<Store, 'scan'>,
  { video, patch: wholePatch }: Point,
  { before, after }: Sides,
  options: CallOptions,
): Promise<number | undefined> => {
  const squares = new Map<number, Point[]>()
  const filter = { videos: [video], afterSeconds: before[0]! - slack, beforeSeconds: after.at(-1)! + slack }
  for await (const point of store.scan(filter, options)) {
    if (point.patch === wholePatch) continue
    const known = squares.get(point.patch)
    if (known) known.push(point)
    else squares.set(point.patch, [point])
  }
  const kept = [...squares.values()].flatMap((points) => {
    const seenAt = (t: number) =>
      points.filter((point) => point.t <= t + slack && t - slack <= point.until).map(({ vector }) => vector)
    const [left, right] = [before.flatMap(seenAt), after.flatMap(seenAt)]
    return left.length > 0 && right.length > 0 ? [cosineOfMeans(left, right)] : []
  })
  return kept.sort((a, b) => b - a)[Math.floor(kept.length / 4)]
}

/** Seconds by which the time of a frame that looked the same may be off: it is counted from its neighbours. */
const slack = 0.01

const cosineOfMeans = (a: readonly Float32Array[], b: readonly Float32Array[]): number => {
  const [left, right] = [sumOf(a), sumOf(b)]
  return dot(left, right) / Math.sqrt(dot(left, left) * dot(right, right) || 1)
}

const sumOf = ([first, ...more]: readonly Float32Array[]): Float32Array => {
  const sum = Float32Array.from(first!)
  for (const vector of more) for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]!
  return sum
}

type Span = Pick<Point, 't' | 'until'>

/** The time of the frame that is nearest to the middle, of those that were sampled. */
const frameInMiddle = (spans: readonly Span[], from: number, to: number): number => {
  const middle = (from + to) / 2
  const within = spans.filter(({ t, until }) => until >= from && t < to)
  const distance = ({ t, until }: Span): number => Math.max(0, t - middle, middle - until)
  const nearest = within.reduce((best, span) => (distance(span) < distance(best) ? span : best), within[0]!)
  return Math.min(nearest.until, Math.max(nearest.t, middle))
}
