import { checkPoints, checkVector } from '../../src/store/point.ts'
import {
  type Hit,
  type Point,
  type PointFilter,
  type Store,
  type Stretch,
  schemaVersion,
  type VideoRecord,
} from '../../src/store/store.ts'

/** A store in two maps: exact cosine search, nothing remembered after the process. Counts what it is asked. */
export const arrayStore = (dimension: number): Store & { readonly limits: number[] } => {
  const points = new Map<string, Point>()
  const records = new Map<string, VideoRecord>()
  let version = 0
  const limits: number[] = []
  const search: Store['search'] = async (vector, { limit, filter = {}, signal }) => {
    signal?.throwIfAborted()
    checkVector(vector, dimension, 'Query')
    limits.push(limit)
    return [...points.values()]
      .filter((point) => passes(point, filter))
      .map((point): Hit => {
        const { vector: own, ...payload } = point
        return { ...payload, similarity: own.reduce((sum, x, i) => sum + x * vector[i]!, 0) }
      })
      .sort((a, b) => b.similarity - a.similarity || (a.id < b.id ? -1 : 1))
      .slice(0, limit)
  }
  const ofVideo = (video: string) => [...points.values()].filter((point) => point.video === video)
  return {
    limits,
    collection: { name: 'array', model: 'test', dimension, schemaVersion },
    location: 'memory',
    upsert: async (added) => {
      checkPoints(added, dimension)
      for (const point of added) points.set(point.id, point)
    },
    search,
    sightings: search,
    scan: async function* (filter) {
      for (const point of points.values()) if (passes(point, filter)) yield point
    },
    pointIds: async (video) => new Set(ofVideo(video).map(({ id }) => id)),
    points: async (ids) => new Map(ids.flatMap((id) => (points.has(id) ? [[id, points.get(id)!]] : []))),
    setPath: async (video, path) => {
      for (const point of ofVideo(video)) points.set(point.id, { ...point, path })
    },
    deletePoints: async (video) => {
      for (const { id } of ofVideo(video)) points.delete(id)
    },
    deleteVideo: async (video) => {
      for (const { id } of ofVideo(video)) points.delete(id)
      version++
      records.delete(video)
    },
    countPoints: async (video) => (video === undefined ? points.size : ofVideo(video).length),
    record: async (video) => records.get(video),
    changeRecord: async (video, change) => {
      version++
      const record = change(records.get(video))
      if (record) records.set(video, record)
      return record
    },
    recordsVersion: async () => version,
    records: async ({ videos } = {}) =>
      [...records.values()]
        .filter(({ video }) => videos?.includes(video) ?? true)
        .sort((a, b) => (a.video < b.video ? -1 : 1)),
    optimize: async () => {},
    describe: async () => ({ exact: true }),
    close: async () => {},
  }
}

const passes = ({ video, patch, t, until }: Point, filter: PointFilter): boolean => {
  const isIn = (stretch: Stretch) => stretch.video === video && until >= stretch.from && t <= stretch.to
  return (
    (filter.patch ?? patch) === patch &&
    (filter.videos?.includes(video) ?? true) &&
    !filter.exceptVideos?.includes(video) &&
    until >= (filter.afterSeconds ?? Number.NEGATIVE_INFINITY) &&
    t <= (filter.beforeSeconds ?? Number.POSITIVE_INFINITY) &&
    (filter.within?.some(isIn) ?? true) &&
    !filter.outside?.some(isIn)
  )
}
