import type { Model } from '../models/model.ts'
import { dot } from '../store/point.ts'
import type { CallOptions, SharedStretch, Store, Stretch, VideoRecord } from '../store/store.ts'
import { wholeFrames } from './timeline.ts'

/*
 * Exports, re-encodings, scaled, cropped and shortened copies. They are found when a run ends, for the videos that are new
 * in it, and are kept in the record of one of the two: a search then needs no vectors to know them, and a name in a record
 * that is no video's any more says nothing.
 */

/**
 * Cosine from which on two whole frames show the same, for a model of which nobody measured it: rather too few copies than
 * moments hidden as such. Re-encodings lie at .90 in the median with the starter model: docs/library.md.
 */
const cautiousSameFrame = 0.95

export const sameFrameOf = ({ sameFrame = cautiousSameFrame }: Pick<Model, 'sameFrame'>): number => sameFrame

/** Frames that have to be the same at one offset. */
const leastPairs = 3
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
export const findCopies = async (
  store: Pick<Store, 'search' | 'scan'>,
  record: VideoRecord,
  known: ReadonlyMap<string, VideoRecord>,
  { sameFrame, signal }: CopyOptions,
): Promise<readonly SharedStretch[]> => {
  const frames = await seenFrames(store, record, { signal })
  const offsets = await candidates(store, record, frames, known, { sameFrame, signal })
  const found: SharedStretch[] = []
  for (const [video, tried] of offsets) {
    const others = await seenFrames(store, known.get(video)!, { signal })
    found.push(...sharedStretches(video, sampled(frames, record), others, tried, sameFrame))
  }
  return found
}

const seenFrames = async (
  store: Pick<Store, 'scan'>,
  record: VideoRecord,
  options: CallOptions,
): Promise<readonly Seen[]> => {
  const seen: Seen[] = []
  for await (const { t, until, vector } of wholeFrames(store, record, options)) {
    const isFlat = record.flat?.some(([from, to]) => t >= from && t <= to)
    if (!isFlat) seen.push({ t, until, vector })
  }
  return seen
}

/** Offsets in seconds at which other videos may show the same, by video. */
const candidates = async (
  store: Pick<Store, 'search'>,
  { video }: VideoRecord,
  frames: readonly Seen[],
  known: ReadonlyMap<string, VideoRecord>,
  { sameFrame, signal }: CopyOptions,
): Promise<ReadonlyMap<string, readonly number[]>> => {
  const count = Math.min(probes, frames.length)
  const asked = Array.from({ length: count }, (_, i) => frames[Math.floor(((i + 0.5) * frames.length) / count)]!)
  const votes = new Map<string, Map<number, number>>()
  const isNoted = (other: string): boolean =>
    known.get(other)?.copies?.some((stretch) => stretch.video === video) ?? false
  const outside = [{ video, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }]
  for (const { t, vector } of asked) {
    const hits = await store.search(vector, { limit: hitsPerProbe, filter: { patch: 0, outside }, signal })
    for (const hit of hits) {
      if (hit.similarity < sameFrame) break
      if (!known.has(hit.video) || isNoted(hit.video)) continue
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
const sampled = (frames: readonly Seen[], { durationSeconds = 0, frames: count }: VideoRecord): readonly Seen[] => {
  const step = durationSeconds / Math.max(1, count)
  return frames.flatMap(({ t, until, vector }) => {
    const times = step > 0 ? 1 + Math.round((until - t) / step) : 1
    return Array.from({ length: times }, (_, i) => ({ t: t + i * step, until: t + i * step, vector }))
  })
}

/** The offset at which most frames are the same, then the next one for those that are left. */
const sharedStretches = (
  video: string,
  frames: readonly Seen[],
  others: readonly Seen[],
  offsets: readonly number[],
  sameFrame: number,
): readonly SharedStretch[] => {
  const stretches: SharedStretch[] = []
  let left = frames
  const matching = offsets.map((offsetSeconds) => ({
    offsetSeconds,
    same: sameAt(frames, others, offsetSeconds, sameFrame),
  }))
  while (stretches.length < mostStretches) {
    const still = matching.map(({ offsetSeconds, same }) => ({
      offsetSeconds,
      same: left.filter((frame) => same.has(frame)),
    }))
    const best = still.reduce((a, b) => (isBetter(b, a) ? b : a))
    if (best.same.length < leastPairs) break
    for (const run of unbroken(best.same)) {
      if (run.length >= leastPairs) {
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
  sameFrame: number,
): ReadonlySet<Seen> => {
  const same = new Set<Seen>()
  let first = 0
  for (const frame of frames) {
    const at = frame.t + offsetSeconds
    while (first < others.length && others[first]!.until < at - offsetTolerance) first++
    for (let i = first; i < others.length && others[i]!.t <= at + offsetTolerance; i++) {
      if (dot(frame.vector, others[i]!.vector) < sameFrame) continue
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

/** What each video shares with others, seen from both. */
export type Copies = ReadonlyMap<string, readonly SharedStretch[]>

/** What the records say; videos that are gone are left out. */
export const copiesIn = (records: readonly VideoRecord[]): Copies => {
  const there = new Set(records.map(({ video }) => video))
  const copies = new Map<string, SharedStretch[]>()
  const add = (video: string, stretch: SharedStretch): void => {
    const known = copies.get(video)
    if (known) known.push(stretch)
    else copies.set(video, [stretch])
  }
  for (const { video, copies: noted = [] } of records) {
    for (const stretch of noted.filter((each) => there.has(each.video))) {
      const { from, to, offsetSeconds } = stretch
      add(video, stretch)
      add(stretch.video, { video, from: from + offsetSeconds, to: to + offsetSeconds, offsetSeconds: -offsetSeconds })
    }
  }
  return copies
}

const kept = new WeakMap<readonly VideoRecord[], Copies>()

/** The same, worked out once for the records that a server keeps for some seconds. */
export const knownCopies = (records: readonly VideoRecord[]): Copies => {
  const copies = kept.get(records) ?? copiesIn(records)
  kept.set(records, copies)
  return copies
}

/** How far copies' sampled frames may lie beyond a shared stretch, in seconds. */
const marginSeconds = 1

/** Where other videos show what a video shows from `from` to `to`: also where a copy's copy does. */
export const elsewhere = (copies: Copies, stretch: Stretch): readonly Stretch[] => {
  const found = new Map<string, Stretch>()
  const waiting: Stretch[] = [stretch]
  for (let at = waiting.shift(); at; at = waiting.shift()) {
    for (const { video, from, to, offsetSeconds } of copies.get(at.video) ?? []) {
      if (found.has(video) || video === stretch.video || to < at.from - marginSeconds || from > at.to + marginSeconds)
        continue
      const shared = { video, from: Math.max(from, at.from) + offsetSeconds, to: Math.min(to, at.to) + offsetSeconds }
      const there = { video, from: Math.min(shared.from, shared.to), to: Math.max(shared.from, shared.to) }
      found.set(video, there)
      waiting.push(there)
    }
  }
  return [...found.values()]
}

export type CopyGroup = {
  /** Videos that show the same, at least two places; a stretch of one may be all of another. */
  readonly videos: readonly {
    readonly path: string
    readonly video: string
    readonly durationSeconds: number | undefined
  }[]
  readonly shared: readonly SharedPair[]
}

/** What one video shows from `from` to `to`, another shows `offsetSeconds` later. Times in seconds. */
export type SharedPair = {
  readonly video: string
  readonly from: number
  readonly to: number
  readonly other: string
  readonly offsetSeconds: number
}

/** The videos that have copies, in groups; the same file in two places is one as well. */
export const copyGroups = (records: readonly VideoRecord[]): readonly CopyGroup[] => {
  const copies = copiesIn(records)
  const byVideo = new Map(records.map((record) => [record.video, record]))
  const placed = new Set<string>()
  const groups: CopyGroup[] = []
  for (const { video, files } of records) {
    if (placed.has(video) || (files.length < 2 && !copies.has(video))) continue
    const members = new Set([video])
    for (const member of members) for (const stretch of copies.get(member) ?? []) members.add(stretch.video)
    for (const member of members) placed.add(member)
    groups.push(
      groupOf(
        [...members].map((member) => byVideo.get(member)!),
        members,
      ),
    )
  }
  return groups
}

const groupOf = (records: readonly VideoRecord[], members: ReadonlySet<string>): CopyGroup => ({
  videos: records
    .flatMap(({ files, video, durationSeconds }) => files.map(({ path }) => ({ path, video, durationSeconds })))
    .sort((a, b) => (a.path < b.path ? -1 : 1)),
  shared: records.flatMap(({ video, copies = [] }) =>
    copies
      .filter((stretch) => members.has(stretch.video))
      .map(({ video: other, from, to, offsetSeconds }) => ({ video, from, to, other, offsetSeconds })),
  ),
})
