import type { CallOptions, Hit, Store } from '../store/store.ts'
import {
  checkSearch,
  find,
  type Moment,
  type Searched,
  type SearchOptions,
  scopeOf,
  searchDefaults,
  toMoment,
} from './search.ts'
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
  query: string,
  video: string,
  options: CurveOptions = {},
): Promise<Curve> => {
  checkSearch(query, options)
  const { signal, onTruncated, onUnknown } = options
  const { model } = searched
  const store = searched.existing()
  const encoder = await searched.encoder()
  const encoding = encoder.encodeTexts([query], { signal, onTruncated, onUnknown: () => onUnknown?.(query) })
  encoding.catch(() => {})
  const { path, record } = await videoNamed(store, video, { signal })
  const [[vector], scope] = await Promise.all([encoding, scopeOf(store, options)])
  const { standard } = scope
  const cutoff = standard?.scoreAt(options.strictness ?? searchDefaults.strictness) ?? model.threshold
  const paths = new Map([[record.video, path]])
  const { found } = await find(store, vector!, { paths, standard }, cutoff, options)
  return {
    query,
    model: model.id,
    collection: store.collection.name,
    path,
    video: record.video,
    durationSeconds: record.durationSeconds,
    points: await pointsOf(store, vector!, record.video, windowsOf(record), { signal }),
    cutoff,
    background: standard?.background(vector!),
    moments: found.map((moment, i) => toMoment(moment, i + 1, paths, standard, cutoff)),
  }
}

/** Most hits of one answer, some 5 MB; a window that has more is halved. */
const mostHits = 20_000

/** A window is not halved below this, in seconds: of more patches than that the worst are left out. */
const shortestWindow = 1

/** Asks window by window, so that a long video takes no more memory than its curve. */
const pointsOf = async (
  store: Pick<Store, 'search'>,
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
    const hits = await store.search(vector, { limit: mostHits, filter, exact: true, signal })
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
const bestOverTime = (hits: readonly Hit[], { from, to }: Window): readonly CurvePoint[] => {
  const times = [...new Set(hits.flatMap(({ t, until }) => [t, until]))]
    .filter((at) => at >= from && at < to)
    .sort((a, b) => a - b)
  const scores = new Float64Array(times.length)
  // Each time gets the score of the first hit that covers it, as the best come first; `next` leads past those that have one.
  const next = Int32Array.from({ length: times.length + 1 }, (_, i) => i)
  const openFrom = (i: number): number => {
    let at = i
    while (next[at] !== at) {
      next[at] = next[next[at]!]!
      at = next[at]!
    }
    return at
  }
  for (const { t, until, similarity } of hits) {
    for (let i = openFrom(firstFrom(times, t)); i < times.length && times[i]! <= until; i = openFrom(i)) {
      scores[i] = 100 * similarity
      next[i] = i + 1
    }
  }
  return times.map((t, i) => ({ t, until: t, score: scores[i]! }))
}

/** Index of the first of the sorted times at or after `t`. */
const firstFrom = (times: readonly number[], t: number): number => {
  let [low, high] = [0, times.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! < t) low = middle + 1
    else high = middle
  }
  return low
}
