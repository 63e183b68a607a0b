import type { Table } from '@lancedb/lancedb'
import type { RecordChange, VideoRecord } from '../store.ts'
import { recordFrom, videoKey } from './columns.ts'
import { is } from './search.ts'
import { isUntidy, tidy, type Upkeep } from './upkeep.ts'

/** The records of a collection's videos. What writes needs the lock. */
export type Records = {
  put(record: VideoRecord): Promise<void>
  get(video: string): Promise<VideoRecord | undefined>
  /** Reads and writes in one turn of the lock. */
  change(video: string, change: RecordChange): Promise<VideoRecord | undefined>
  /** By `video`. */
  all(): Promise<readonly VideoRecord[]>
  delete(video: string): Promise<void>
  tidy(): Promise<void>
  close(): void
}

export const recordsIn = (table: Table, folder: string, upkeep: Upkeep): Records => {
  let written = 0
  const put = async (record: VideoRecord): Promise<void> => {
    const { replaceRows, videoRows } = await import('./tables.ts')
    await replaceRows(table, videoKey, videoRows(record))
    if (++written % upkeep.upsertsBetweenLooks === 0 && (await isUntidy(table, upkeep)))
      await tidy(table, folder, upkeep)
  }
  const get = async (video: string): Promise<VideoRecord | undefined> => {
    const [row] = await table.query().where(is(videoKey, video)).toArray()
    return row && recordFrom(row)
  }
  return {
    put,
    get,
    change: async (video, change) => {
      const record = change(await get(video))
      if (record) await put(record)
      return record
    },
    all: async () => {
      const records = (await table.query().toArray()).map(recordFrom)
      return records.sort((a, b) => (a.video < b.video ? -1 : 1))
    },
    delete: async (video) => {
      await table.delete(is(videoKey, video))
    },
    tidy: () => tidy(table, folder, upkeep),
    close: () => table.close(),
  }
}
