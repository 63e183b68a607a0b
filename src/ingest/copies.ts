import type { Model } from '../models/model.ts'
import { sameFrameOf } from '../search/copies.ts'
import { evenly, isFlatAt, sampledEverySeconds, wholeFrames } from '../search/timeline.ts'
import { dot } from '../store/point.ts'
import type { CallOptions, SharedStretch, Store, VideoRecord } from '../store/store.ts'

/*
 * Exports, re-encodings, scaled, cropped and shortened copies. They are found when a run ends, for the videos that are new
 * in it, and are kept in the record of one of the two: a search then needs no vectors to know them, and a name in a record
 * that is no video's any more says nothing.
 */

/** Looks what the videos that were indexed since the last time share with others, and notes it in their records. */
export const noteCopies = async (
  store: Store,
  model: Pick<Model, 'sameFrame'>,
  { signal }: CallOptions,
): Promise<void> => {
  const known = new Map((await store.records({ signal })).map((record) => [record.video, record]))
  for (const record of [...known.values()]) {
    const { video, status, indexedAt, flat } = record
    if (status === 'failed' || flat === undefined || record.copies !== undefined) continue
    const copies = await findCopies(store, record, known, { sameFrame: sameFrameOf(model), signal })
    known.set(video, { ...record, copies })
    await store.changeRecord(video, (now) => (now?.indexedAt === indexedAt ? { ...now, copies } : undefined), {
      signal,
    })
  }
}

/** Frames that have to be the same at one offset; of a video that has but two, both. */
const leastPairs = 3
const fewestPairs = 2

/**
 * How much less alike frames of other proportions may be, as bars squeeze what they show: letterboxed copies lie at .76 in
 * the median with the starter model, other videos below .63. And how much more where there are but two.
 */
const otherShape = 0.14
const fewFrames = 0.05

/** By how much the proportions of one shape may differ. */
const shapeTolerance = 0.05

/** How far the offsets of these may lie from each other each way, in seconds: half a second and what rounding adds. */
const offsetTolerance = 0.6

/** Frames of a new video for which the store is searched, and hits of each: what a video costs at most. */
const probes = 32
const hitsPerProbe = 64
/** Videos that are compared frame by frame, those with the most hits first. */
const mostCandidates = 50
/** Offsets at which two of them are compared. */
const mostOffsets = 50
/** Stretches that two videos may share; a cut of another video has one for each of its shots. */
const mostStretches = 100
/** Frames that are the same this far apart, in seconds, belong to one stretch. */
const longestBreak = 10

/** A whole frame that is no flat one, at each time at which it was seen. */
type Seen = { readonly t: number; readonly until: number; readonly vector: Float32Array }

type CopyOptions = CallOptions & { readonly sameFrame: number }

/**
 * Finds what other videos show as well.
 *
 * @param known records by video: videos of which one has noted the other already are left out
 * @param sameFrame see {@link sameFrameOf}
 */
const findCopies = async (
  store: Pick<Store, 'search' | 'scan'>,
  record: VideoRecord,
  known: ReadonlyMap<string, VideoRecord>,
  { sameFrame, signal }: CopyOptions,
): Promise<readonly SharedStretch[]> => {
  const frames = await seenFrames(store, record, { signal })
  const offsets = await candidates(store, record, frames, known, { sameFrame, signal })
  const found: SharedStretch[] = []
  for (const [video, tried] of offsets) {
    const other = known.get(video)!
    const own = sampled(frames, record)
    const others = await seenFrames(store, other, { signal })
    const least = Math.min(leastPairs, Math.max(fewestPairs, Math.min(own.length, sampled(others, other).length)))
    const alike = alikeFrom(record, other, sameFrame) + (least < leastPairs ? fewFrames : 0)
    found.push(...sharedStretches({ video, frames: own, others, offsets: tried, alike, least }))
  }
  return found
}

/** Cosine from which on frames of two videos are the same. */
const alikeFrom = (one: VideoRecord, other: VideoRecord, sameFrame: number): number => {
  const shape = ({ width = 1, height = 1 }: VideoRecord): number => Math.log(width / height)
  const isOtherShape = Math.abs(shape(one) - shape(other)) > shapeTolerance
  return isOtherShape ? sameFrame - otherShape : sameFrame
}

const seenFrames = async (
  store: Pick<Store, 'scan'>,
  record: VideoRecord,
  options: CallOptions,
): Promise<readonly Seen[]> => {
  const seen: Seen[] = []
  for await (const { t, until, vector } of wholeFrames(store, record, options)) {
    if (!isFlatAt(record, t)) seen.push({ t, until, vector })
  }
  return seen
}

/** Offsets in seconds at which other videos may show the same, by video. */
const candidates = async (
  store: Pick<Store, 'search'>,
  record: VideoRecord,
  frames: readonly Seen[],
  known: ReadonlyMap<string, VideoRecord>,
  { sameFrame, signal }: CopyOptions,
): Promise<ReadonlyMap<string, readonly number[]>> => {
  const { video } = record
  const votes = new Map<string, Map<number, number>>()
  const isNoted = (other: string): boolean =>
    known.get(other)?.copies?.some((stretch) => stretch.video === video) ?? false
  const outside = [{ video, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }]
  for (const { t, vector } of evenly(frames, probes)) {
    const hits = await store.search(vector, { limit: hitsPerProbe, filter: { patch: 0, outside }, signal })
    for (const hit of hits) {
      const other = known.get(hit.video)
      if (!other || isNoted(hit.video) || hit.similarity < alikeFrom(record, other, sameFrame)) continue
      const offset = Math.round((hit.t - t) * 10) / 10
      const offsets = votes.get(hit.video) ?? new Map<number, number>()
      votes.set(hit.video, offsets.set(offset, (offsets.get(offset) ?? 0) + 1))
    }
  }
  const likeliest = [...votes].sort(([, a], [, b]) => total(b) - total(a)).slice(0, mostCandidates)
  return new Map(likeliest.map(([other, offsets]) => [other, mostVoted(offsets)]))
}

const total = (votes: ReadonlyMap<number, number>): number => [...votes.values()].reduce((sum, each) => sum + each, 0)

/** A still picture has the same in it at any offset. Of a file that was only converted it is 0. */
const mostVoted = (votes: ReadonlyMap<number, number>): readonly number[] => {
  const best = [...votes].sort(([, a], [, b]) => b - a).slice(0, mostOffsets)
  return [...new Set([0, ...best.map(([offset]) => offset)])]
}

/** One entry for each time at which a frame was sampled. */
const sampled = (frames: readonly Seen[], record: VideoRecord): readonly Seen[] => {
  const step = sampledEverySeconds(record)
  return frames.flatMap(({ t, until, vector }) => {
    const times = step > 0 ? 1 + Math.round((until - t) / step) : 1
    return Array.from({ length: times }, (_, i) => ({ t: t + i * step, until: t + i * step, vector }))
  })
}

type Compared = {
  readonly video: string
  readonly frames: readonly Seen[]
  readonly others: readonly Seen[]
  readonly offsets: readonly number[]
  readonly alike: number
  readonly least: number
}

/** The offset at which most frames are the same, then the next one for those that are left. */
const sharedStretches = ({ video, frames, others, offsets, alike, least }: Compared): readonly SharedStretch[] => {
  const stretches: SharedStretch[] = []
  let left = frames
  const matching = offsets.map((offsetSeconds) => ({
    offsetSeconds,
    same: sameAt(frames, others, offsetSeconds, alike),
  }))
  while (stretches.length < mostStretches) {
    const still = matching.map(({ offsetSeconds, same }) => ({
      offsetSeconds,
      same: left.filter((frame) => same.has(frame)),
    }))
    const best = still.reduce((a, b) => (isBetter(b, a) ? b : a))
    if (best.same.length < least) break
    for (const run of unbroken(best.same)) {
      if (run.length >= least) {
        const { offsetSeconds } = best
        stretches.push({ video, from: run[0]!.t, to: run.at(-1)!.t, offsetSeconds })
      }
    }
    const taken = new Set(best.same)
    left = left.filter((frame) => !taken.has(frame))
  }
  return stretches
}

type Matching = { readonly offsetSeconds: number; readonly same: readonly Seen[] }

/** Of a still picture all offsets are equal: then the smallest is the likeliest. */
const isBetter = (a: Matching, b: Matching): boolean =>
  a.same.length > b.same.length ||
  (a.same.length === b.same.length && Math.abs(a.offsetSeconds) < Math.abs(b.offsetSeconds))

/** The frames that another video shows too at an offset. */
const sameAt = (
  frames: readonly Seen[],
  others: readonly Seen[],
  offsetSeconds: number,
  alike: number,
): ReadonlySet<Seen> => {
  const same = new Set<Seen>()
  let first = 0
  for (const frame of frames) {
    const at = frame.t + offsetSeconds
    while (first < others.length && others[first]!.until < at - offsetTolerance) first++
    for (let i = first; i < others.length && others[i]!.t <= at + offsetTolerance; i++) {
      if (dot(frame.vector, others[i]!.vector) < alike) continue
      same.add(frame)
      break
    }
  }
  return same
}

const unbroken = (frames: readonly Seen[]): readonly (readonly Seen[])[] => {
  const runs: Seen[][] = []
  for (const frame of frames) {
    const last = runs.at(-1)
    if (last && frame.t - last.at(-1)!.t <= longestBreak) last.push(frame)
    else runs.push([frame])
  }
  return runs
}
