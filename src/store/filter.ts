import type { PointFilter, VideoRecord } from './store.ts'

/**
 * The videos that lie at one of these paths, each once. Points know only the path they were indexed at; a record knows
 * every place where the same content lies.
 */
export const videosAt = (records: readonly VideoRecord[], paths: readonly string[]): readonly string[] => {
  const wanted = new Set(paths)
  return records.filter(({ files }) => files.some(({ path }) => wanted.has(path))).map(({ video }) => video)
}

/**
 * The videos that a filter leaves, `undefined` for all of them. Records are read only where the filter names paths.
 * Where it names both videos and paths, a video has to be in both.
 */
export const filteredVideos = async (
  { videos, paths }: PointFilter,
  records: () => Promise<readonly VideoRecord[]>,
): Promise<readonly string[] | undefined> => {
  if (paths === undefined || videos?.length === 0) return videos
  if (paths.length === 0) return []
  const there = videosAt(await records(), paths)
  if (videos === undefined) return there
  const wanted = new Set(videos)
  return there.filter((video) => wanted.has(video))
}
