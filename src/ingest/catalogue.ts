import type { CallOptions, RecordChange, Store, VideoFile, VideoRecord } from '../store/store.ts'
import { covers, type MadeWith } from './sampling.ts'
import { removeStills } from './stills.ts'

/**
 * The collection's records. Every change is made on the record as it is now, one after the other for each video, also
 * among several processes.
 */
export type Catalogue = {
  /** The video that lay at exactly this file, unchanged since, when as much as is wanted was indexed. */
  untouched(file: VideoFile, wanted: MadeWith): VideoRecord | undefined
  /** Whether nothing is left to be done for a video: a damaged one stays as it is until something decodes it better. */
  isFinished(record: VideoRecord, wanted: MadeWith): boolean
  /** Every path that was known when the run began or became so since. */
  paths(): Iterable<string>
  /** {@link Store.changeRecord}, and remembers what was written. */
  update(video: string, change: RecordChange): Promise<void>
  /** Takes a path away from the other videos that had it. They stay, even with no path: another file may have them. */
  takeOver(path: string, video: string): Promise<void>
  /** Removes the videos that have no path left, with their points. */
  deletePathless(): Promise<void>
}

/** @param tools versions of what decodes */
export const openCatalogue = async (store: Store, tools: string, options?: CallOptions): Promise<Catalogue> => {
  const records = new Map<string, VideoRecord>()
  const holders = new Map<string, Set<string>>()
  const turns = new Map<string, Promise<void>>()
  const remember = (record: VideoRecord): void => {
    records.set(record.video, record)
    for (const { path } of record.files) {
      const videos = holders.get(path)
      if (videos) videos.add(record.video)
      else holders.set(path, new Set([record.video]))
    }
  }
  for (const record of await store.records(options)) remember(record)

  const change: Catalogue['update'] = async (video, make) => {
    const record = await store.changeRecord(video, make)
    if (record) remember(record)
  }
  const update: Catalogue['update'] = (video, make) => {
    const turn = (turns.get(video) ?? Promise.resolve()).then(() => change(video, make))
    turns.set(
      video,
      turn.catch(() => {}),
    )
    return turn
  }
  const release = async (video: string, path: string): Promise<void> => {
    let shown: string | undefined
    await update(video, (record) => {
      const files = record?.files.filter((file) => file.path !== path)
      shown = files?.[0]?.path
      return record && files && files.length < record.files.length ? { ...record, files } : undefined
    })
    if (shown !== undefined) await store.setPath(video, shown)
  }

  const isFinished: Catalogue['isFinished'] = (record, wanted) =>
    record.run === undefined && covers(record, wanted) && (record.status === 'complete' || record.tools === tools)

  return {
    isFinished,
    untouched: (file, wanted) =>
      [...(holders.get(file.path) ?? [])]
        .map((video) => records.get(video))
        .find((record) => record && isFinished(record, wanted) && hasFile(record, file)),
    paths: () => holders.keys(),
    update,
    takeOver: async (path, video) => {
      for (const other of holders.get(path) ?? []) {
        if (other === video) continue
        holders.get(path)?.delete(other)
        await release(other, path)
      }
    },
    deletePathless: async () => {
      for (const { video, files } of await store.records()) if (files.length === 0) await deleteIfPathless(store, video)
    },
  }
}

/** Removes a video unless it has a path by now. Whoever gives it one meanwhile finds nothing complete there. */
export const deleteIfPathless = async (store: Store, video: string): Promise<void> => {
  const leaving = await store.changeRecord(video, (record) =>
    record && record.files.length === 0
      ? {
          ...record,
          status: 'partial',
          reason: 'its last file was removed; run it again',
          settings: '',
          run: undefined,
        }
      : undefined,
  )
  if (!leaving) return
  await store.deleteVideo(video)
  await removeStills(video)
}

/** The file is known and looks as it did; its content is not read. */
const hasFile = (record: VideoRecord, file: VideoFile): boolean =>
  record.files.some(
    (known) => known.path === file.path && known.bytes === file.bytes && known.modifiedMs === file.modifiedMs,
  )
