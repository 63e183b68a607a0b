import type { Model } from '../models/model.ts'
import type { SharedStretch, Stretch, VideoRecord } from '../store/store.ts'
import { once } from './records.ts'

/**
 * Cosine from which on two whole frames show the same, for a model of which nobody measured it: rather too few copies than
 * moments hidden as such. Re-encodings lie at .90 in the median with the starter model: docs/library.md.
 */
const cautiousSameFrame = 0.95

export const sameFrameOf = ({ sameFrame = cautiousSameFrame }: Pick<Model, 'sameFrame'>): number => sameFrame

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

export const knownCopies = once(copiesIn)

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
