import { UsageError } from '../errors.ts'
import type { CallOptions, Sighting, Store } from '../store/store.ts'
import { find, type Moment, rulesOf, toMoment } from './find.ts'
import { bestAt, type Rule, readFrames } from './frames.ts'
import type { SearchOptions } from './options.ts'
import { describeQuery, type Query } from './query.ts'
import { prepare, type Searched } from './search.ts'
import { scoreOf } from './surroundings.ts'
import { videoNamed, type Window, windowsOf } from './timeline.ts'

export type CurveOptions = Omit<SearchOptions, 'filter' | 'gapSeconds'>

/** A stretch of a video with one score. Times in seconds from the start of the file. */
export type CurvePoint = {
  readonly t: number
  /** Time of the last sampled frame with this score; `t` or later. */
  readonly until: number
  /** Of the frame's best patch: 100 · cosine similarity. */
  readonly score: number
}

export type Curve = {
  readonly query: string
  /** Id of the model. */
  readonly model: string
  readonly collection: string
  readonly path: string
  readonly video: string
  readonly durationSeconds: number | undefined
  /** Every sampled frame, in the order of time. */
  readonly points: readonly CurvePoint[]
  /** As in {@link SearchResult}: it belongs to all videos that are searched, not to this one alone. */
  readonly cutoff: number | undefined
  /** The query's mean score over the searched videos. */
  readonly background: number | undefined
  /** Those of this video, best first. */
  readonly moments: readonly Moment[]
}

/**
 * How well every sampled frame of a video fits a query.
 *
 * @param video path or fingerprint
 * @param options what is searched (`paths`) decides what is likely; times limit the moments, not the curve
 * @throws UsageError if there is no such video, the query is empty or an option is out of range
 */
export const curve = async (
  searched: Searched,
  query: Query,
  video: string,
  options: CurveOptions = {},
): Promise<Curve> => {
  const { signal } = options
  const preparing = prepare(searched, query, options)
  preparing.catch(() => {})
  const { path, record } = await videoNamed(searched.existing(), video, { signal })
  const { store, target, scope, cutoff } = await preparing
  const { standard } = scope
  const paths = new Map([[record.video, path]])
  const within = { ...scope, filter: { videos: [record.video] } }
  // All of them are marked, also where they show the same.
  const { found } = await find(store, target, within, cutoff, { ...options, copies: true })
  const windows = windowsOf(record)
  const common = {
    query: describeQuery(query),
    model: searched.model.id,
    collection: store.collection.name,
    path,
    video: record.video,
    durationSeconds: record.durationSeconds,
    cutoff,
    moments: found.map((moment, i) => toMoment(moment, i + 1, paths)),
  }
  if (target.kind !== 'phrases') {
    const points = await pointsOf(store, target.vector, record.video, windows, { signal })
    return { ...common, points, background: standard?.background(target.vector) }
  }
  const [rule, ...later] = await rulesOf(target.steps, store, scope, { signal })
  if (later.length > 0) {
    throw new UsageError('Expected phrases that are seen at once for a curve, got some in order', {
      remedy: 'Ask for one side of the > at a time',
    })
  }
  const points = await pointsTogether(store, rule!, record.video, windows, { signal })
  return { ...common, points, background: standard && rule!.backgroundScore }
}

/** Windows for phrases, in seconds: all their points are read at once. */
const togetherSeconds = 120

const pointsTogether = async (
  store: Pick<Store, 'sightings'>,
  rule: Rule,
  video: string,
  windows: readonly Window[],
  { signal }: CallOptions,
): Promise<readonly CurvePoint[]> => {
  const points: CurvePoint[] = []
  for (const { from, to } of windows.flatMap(inParts)) {
    const [frames] = await readFrames([{ video, from, to }], { store, rules: [rule], signal })
    const { times, steps } = frames!
    for (const [i, t] of times.entries()) if (t < to) points.push({ t, until: t, score: steps[0]!.scores[i]! })
  }
  return points
}

/** Its first and last part are open, as the window may be. */
const inParts = ({ from, to }: Window): readonly Window[] => {
  const [first, last] = [Math.max(0, from), Math.min(to, Math.max(0, from) + 600)]
  const parts: Window[] = []
  for (let at = first; at < last; at += togetherSeconds) {
    const end = at + togetherSeconds
    parts.push({ from: at === first ? from : at, to: end >= last ? to : end })
  }
  return parts
}

/** Most hits of one answer, some 5 MB; a window that has more is halved. */
const mostHits = 20_000

/** A window is not halved below this, in seconds: of more patches than that the worst are left out. */
const shortestWindow = 1

/** Asks window by window, so that a long video takes no more memory than its curve. */
const pointsOf = async (
  store: Pick<Store, 'sightings'>,
  vector: Float32Array,
  video: string,
  windows: readonly Window[],
  { signal }: CallOptions,
): Promise<readonly CurvePoint[]> => {
  const points: CurvePoint[] = []
  const waiting = [...windows]
  while (waiting.length > 0) {
    const { from, to } = waiting.shift()!
    const filter = { videos: [video], afterSeconds: from, beforeSeconds: to }
    const hits = await store.sightings(vector, { limit: mostHits, filter, exact: true, signal })
    if (hits.length === mostHits && to - from > shortestWindow) {
      const middle = (from + to) / 2
      waiting.unshift({ from, to: middle }, { from: middle, to })
      continue
    }
    for (const point of bestOverTime(hits, { from, to })) {
      const last = points.at(-1)
      if (last?.score === point.score) points[points.length - 1] = { ...last, until: point.until }
      else points.push(point)
    }
  }
  return points
}

/** The best score at each time of a window at which a patch begins or was last seen. */
const bestOverTime = (hits: readonly Sighting[], { from, to }: Window): readonly CurvePoint[] => {
  const times = [...new Set(hits.flatMap(({ t, until }) => [t, until]))]
    .filter((at) => at >= from && at < to)
    .sort((a, b) => a - b)
  const best = bestAt(times, hits)
  return times.map((t, i) => ({ t, until: t, score: scoreOf(best[i]!) }))
}
