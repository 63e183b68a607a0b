import type { Hit, VideoRecord } from '../store.ts'

/*
 * What the tables and their columns are called, and how rows are read. What writes rows lies in tables.ts: it takes 60 ms
 * to load, and a search needs none of it.
 */

export const pointsTable = 'points'
export const videosTable = 'videos'

/** The key of each table: no two rows share one. */
export const pointKey = 'id'
export const videoKey = 'video'

/** What a hit is made of; `_distance` is what the engine computed, and has to be asked for by name. */
export const hitColumns: string[] = ['id', 'video', 'path', 't', 'until', 'patch', 'box', '_distance']

type HitRow = Omit<Hit, 'box' | 'similarity'> & { readonly box: Iterable<number>; readonly _distance: number }

/** The engine's distance is 1 − cosine. Rounding may carry the cosine of unit vectors just past 1. */
export const hitFrom = ({ id, video, path, t, until, patch, box, _distance }: HitRow): Hit => {
  const [x = 0, y = 0, width = 0, height = 0] = box
  const similarity = Math.min(1, Math.max(-1, 1 - _distance))
  return { id, similarity, video, path, t, until, patch, box: [x, y, width, height] }
}

export const recordFrom = (row: { record: string }): VideoRecord => JSON.parse(row.record)
