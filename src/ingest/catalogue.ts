import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Store, VideoFile, VideoRecord } from '../store/store.ts'

/** The collection's records, by video and by path, kept in step with the store by this run's own changes. */
export type Catalogue = {
  byVideo(video: string): VideoRecord | undefined
  /** The video that lay at exactly this file, unchanged since, when it was indexed completely with these settings. */
  untouched(file: VideoFile, settings: string): VideoRecord | undefined
  /** Every path that is known. */
  paths(): Iterable<string>
  put(record: VideoRecord): Promise<void>
  /** Takes a path away from the other videos that had it; a video that has none left goes, with its points. */
  takeOver(path: string, video: string): Promise<void>
}

export const openCatalogue = async (store: Store, signal?: AbortSignal): Promise<Catalogue> => {
  const records = new Map<string, VideoRecord>()
  const holders = new Map<string, Set<string>>()
  const remember = (record: VideoRecord): void => {
    records.set(record.video, record)
    for (const { path } of record.files) {
      const videos = holders.get(path)
      if (videos) videos.add(record.video)
      else holders.set(path, new Set([record.video]))
    }
  }
  const put = async (record: VideoRecord): Promise<void> => {
    await store.putRecord(record)
    remember(record)
  }
  const release = async (record: VideoRecord, path: string): Promise<void> => {
    const files = record.files.filter((file) => file.path !== path)
    if (files.length > 0) {
      await put({ ...record, files })
      await store.setPath(record.video, files[0]!.path)
    } else {
      await store.deleteVideo(record.video)
      records.delete(record.video)
    }
  }
  for (const record of await store.records({ signal })) remember(record)

  return {
    byVideo: (video) => records.get(video),
    untouched: (file, settings) =>
      [...(holders.get(file.path) ?? [])]
        .map((video) => records.get(video))
        .find((record) => record && isDone(record, settings) && hasFile(record, file)),
    paths: () => holders.keys(),
    put,
    takeOver: async (path, video) => {
      for (const other of holders.get(path) ?? []) {
        const record = records.get(other)
        if (other === video || !record) continue
        holders.get(path)?.delete(other)
        await release(record, path)
      }
    },
  }
}

/** Nothing is left to be done for this video. */
export const isDone = (record: VideoRecord, settings: string): boolean =>
  record.status === 'complete' && record.settings === settings

/** The file is known and looks as it did; its content is not read. */
const hasFile = (record: VideoRecord, file: VideoFile): boolean =>
  record.files.some(
    (known) => known.path === file.path && known.bytes === file.bytes && known.modifiedMs === file.modifiedMs,
  )

/** @throws the system's error if there is nothing that can be read */
export const videoFile = async (path: string): Promise<VideoFile> => {
  const { size, mtimeMs } = await stat(path)
  return { path: resolve(path), bytes: size, modifiedMs: Math.round(mtimeMs) }
}

/** `files` with `file` added, or brought up to date. */
export const withFile = (files: readonly VideoFile[], file: VideoFile): readonly VideoFile[] =>
  files.some((known) => known.path === file.path)
    ? files.map((known) => (known.path === file.path ? file : known))
    : [...files, file]
