import type { Table } from '@lancedb/lancedb'
import { StoreError } from '../store.ts'
import { pointsTable, videosTable } from './columns.ts'
import { type Engine, loadEngine } from './engine.ts'
import type { Upkeep } from './upkeep.ts'
import { type Records, recordsIn } from './videos.ts'
import { type Ways, waysOf } from './way.ts'

export type OpenTables = {
  readonly engine: Engine
  readonly points: Table
  readonly videos: Records
  /** How the points are searched. */
  readonly ways: Ways
}

type Opened = OpenTables & { close(): void }

/** What a process may keep of the files' descriptions, in bytes. Left to itself the engine keeps up to 7 GB in all. */
const descriptionsBytes = 128n << 20n

/** The tables in a folder, opened when they are first asked for. */
export const tablesIn = (folder: string, upkeep: Upkeep) => {
  let opening: Promise<Opened> | undefined
  let isClosed = false
  return {
    /** @throws StoreError once they were closed */
    opened: (): Promise<OpenTables> => {
      if (isClosed) throw closed(folder)
      opening ??= open(folder, upkeep).catch((error) => {
        // What could not be opened may be there the next time.
        opening = undefined
        throw error
      })
      return opening
    },
    close: async (): Promise<void> => {
      isClosed = true
      const opened = await opening?.catch(() => undefined)
      opened?.close()
    },
  }
}

const open = async (folder: string, upkeep: Upkeep): Promise<Opened> => {
  const engine = await loadEngine()
  const session = new engine.Session(BigInt(upkeep.indexCacheBytes), descriptionsBytes)
  // 0: every read looks for what other processes wrote.
  const database = await engine.connect(folder, { readConsistencyInterval: 0 }, session)
  const [points, videosOpened] = await Promise.all([database.openTable(pointsTable), database.openTable(videosTable)])
  const videos = recordsIn(videosOpened, folder, upkeep)
  const close = () => {
    points.close()
    videos.close()
    database.close()
  }
  return { engine, points, videos, ways: waysOf(points, upkeep), close }
}

const closed = (folder: string): StoreError =>
  new StoreError('store-closed', `Expected an open collection, got one that was closed: ${folder}`, {
    remedy: 'Open the store again before using it',
  })
