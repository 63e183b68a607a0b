import type { Table } from '@lancedb/lancedb'
import { byRank } from '../point.ts'
import type { Hit, Point, PointFilter, SearchOptions, Sighting, Stretch, VideoRecord } from '../store.ts'
import type { Metric } from './vectorIndex.ts'

/*
 * What the tables and their columns are called, and how rows are read. What writes rows lies in rows.ts: it takes 60 ms
 * to load, and a search needs none of it.
 */

export const pointsTable = 'points'
export const videosTable = 'videos'

/** The key of each table: no two rows share one. */
export const pointKey = 'id'
export const videoKey = 'video'

/** What a hit is made of; `_distance` is what the engine computed, and has to be asked for by name. */
const hitColumns = ['id', 'video', 'path', 't', 'until', 'patch', 'box', '_distance']
const sightingColumns = ['id', 'video', 't', 'until', '_distance']

type HitRow = Omit<Hit, 'box' | 'similarity'> & { readonly box: Iterable<number>; readonly _distance: number }

/** The engine's distance is 1 − cosine. Rounding may carry the cosine of unit vectors just past 1. */
const similarityFrom = (distance: number): number => Math.min(1, Math.max(-1, 1 - distance))

const hitFrom = ({ id, video, path, t, until, patch, box, _distance }: HitRow): Hit => {
  const [x = 0, y = 0, width = 0, height = 0] = box
  return { id, similarity: similarityFrom(_distance), video, path, t, until, patch, box: [x, y, width, height] }
}

export const recordFrom = (row: { record: string }): VideoRecord => JSON.parse(row.record)

/** All cells: what is found is exactly what a scan of the table finds. Why that, and no index that skips: docs/stores.md. */
const searchedCells = 1_000_000
/** More equally good points than these at the limit are cut by the engine's own order. */
const mostTies = 4096

/** The table of the points, and what its index measures if the search is to go through it. */
export type Searched = { readonly table: Table; readonly index: Metric | undefined }

/** The points nearest to a unit vector, best first, equals by id. */
export const nearest = async (
  searched: Searched,
  vector: Float32Array,
  { limit, filter = {} }: SearchOptions,
): Promise<readonly Hit[]> => {
  const where = condition(filter)
  if (where === undefined || limit < 1) return []
  // The engine cuts equals by where their rows lie; one hit more than wanted shows whether it did.
  for (let wanted = limit + 1; ; wanted = Math.min(wanted * 4, limit + mostTies)) {
    const found = await ask(searched, vector, wanted, where).select(hitColumns).toArray()
    const hits: Hit[] = found.map(hitFrom)
    const cut = hits.length === wanted && hits.at(-1)!.similarity === hits[limit - 1]!.similarity
    if (!cut || wanted === limit + mostTies) return hits.sort(byRank).slice(0, limit)
  }
}

/** The points nearest to a unit vector, best first. Read by columns: rows take several times as long. */
export const sightings = async (
  searched: Searched,
  vector: Float32Array,
  { limit, filter = {} }: SearchOptions,
): Promise<readonly Sighting[]> => {
  const where = condition(filter)
  if (where === undefined || limit < 1) return []
  const found: Sighting[] = []
  for await (const batch of ask(searched, vector, limit, where).select(sightingColumns)) {
    const [ids, videos, times, ends, distances] = sightingColumns.map((name) => batch.getChild(name)!.toArray())
    for (let row = 0; row < batch.numRows; row++) {
      const [id, video, t, until] = [ids[row], videos[row], times[row], ends[row]]
      found.push({ id, video, t, until, similarity: similarityFrom(distances[row]) })
    }
  }
  return found
}

const ask = ({ table, index }: Searched, vector: Float32Array, limit: number, where: string) => {
  const query = table.vectorSearch(vector).limit(limit)
  if (index) query.distanceType(index).nprobes(searchedCells)
  else query.distanceType('dot').bypassVectorIndex()
  return where ? query.where(where) : query
}

/** A filter in SQL, '' if it leaves everything, `undefined` if it leaves nothing. */
const condition = (filter: PointFilter): string | undefined => {
  const { videos, exceptVideos, patch, afterSeconds, beforeSeconds, within, outside = [] } = filter
  if (videos?.length === 0 || within?.length === 0) return undefined
  const parts = videos ? [oneOf('video', videos)] : []
  if (exceptVideos?.length) parts.push(`NOT ${oneOf('video', exceptVideos)}`)
  if (within) parts.push(`(${within.map(inStretch).join(' OR ')})`)
  if (patch !== undefined) parts.push(`patch = ${number(patch)}`)
  if (afterSeconds !== undefined) parts.push(`until >= ${number(afterSeconds)}`)
  if (beforeSeconds !== undefined) parts.push(`t <= ${number(beforeSeconds)}`)
  for (const stretch of outside) parts.push(`NOT ${inStretch(stretch)}`)
  return parts.join(' AND ')
}

const inStretch = ({ video, from, to }: Stretch): string =>
  `(${is('video', video)} AND until >= ${number(from)} AND t <= ${number(to)})`

export const is = (column: string, value: string): string => `${column} = ${text(value)}`

export const oneOf = (column: string, values: readonly string[]): string =>
  `${column} IN (${[...new Set(values)].map(text).join(', ')})`

/** A quote is doubled; nothing else has a meaning in an SQL string. */
const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

/** Endless times stand for the largest ones: SQL has no literal for them. */
const number = (value: number): string => String(Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, value)))

/** Ids a query: keeps its SQL at some 40 kB. */
const idsPerQuery = 1000

export const pointIdsOf = async (points: Table, video: string): Promise<Set<string>> => {
  const ids = new Set<string>()
  for await (const batch of points.query().where(is('video', video)).select(['id'])) {
    for (const id of batch.getChild('id')!) ids.add(id)
  }
  return ids
}

export const pointsById = async (points: Table, ids: readonly string[]): Promise<Map<string, Point>> => {
  const found = new Map<string, Point>()
  for (let at = 0; at < ids.length; at += idsPerQuery) {
    for await (const point of read(points, oneOf('id', ids.slice(at, at + idsPerQuery)))) found.set(point.id, point)
  }
  return found
}

/** All points that match, batch by batch. */
export async function* scan(points: Table, filter: PointFilter): AsyncGenerator<Point, void> {
  const where = condition(filter)
  if (where !== undefined) yield* read(points, where)
}

/** @param where SQL, '' for all points */
async function* read(points: Table, where: string): AsyncGenerator<Point, void> {
  const query = points.query().select(['id', 'video', 'path', 't', 'until', 'patch', 'box', 'vector'])
  for await (const batch of where ? query.where(where) : query) {
    for (const row of batch) {
      const { id, video, path, t, until, patch, box, vector } = row!
      const [x = 0, y = 0, width = 0, height = 0] = box as Iterable<number>
      // A copy: the engine's memory holds the whole batch.
      yield { id, video, path, t, until, patch, box: [x, y, width, height], vector: vector.toArray().slice() }
    }
  }
}

/** Of all points which video they are of, and their times in seconds. */
export async function* timesOf(points: Table) {
  for await (const batch of points.query().select(['video', 't'])) {
    const [videos, times] = [batch.getChild('video')!, batch.getChild('t')!]
    for (const [row, video] of [...videos].entries()) yield { video: video as string, t: times.get(row) as number }
  }
}
