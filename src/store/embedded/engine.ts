import type * as Lance from '@lancedb/lancedb'
import type { Table } from '@lancedb/lancedb'
import { StoreError } from '../store.ts'
import { pointsTable, videosTable } from './points.ts'
import { type Upkeep, type Ways, waysOf } from './vectorIndex.ts'

export type Engine = typeof Lance

/**
 * What the engine holds at once, in bytes, while it reads files and while it sorts points into an index; it takes both
 * from the environment. Left at its own 2 GB and 128 MB, loading and indexing 136,800 points of 384 dimensions takes some 130
 * and 180 MB more, and is no faster: one disk of this machine is read, not a store far away.
 */
const engineBuffers = { LANCE_DEFAULT_IO_BUFFER_SIZE: 8 << 20, LANCE_SHUFFLE_BATCH_BYTES: 8 << 20 }

/** The native engine takes a quarter of a second to load: only those who open a folder pay for it. */
export const loadEngine = (): Promise<Engine> => {
  for (const [name, bytes] of Object.entries(engineBuffers)) process.env[name] ??= `${bytes}`
  return import('@lancedb/lancedb')
}

export type OpenTables = {
  readonly engine: Engine
  readonly points: Table
  readonly videos: Table
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
      opening ??= openTables(folder, upkeep).catch((error) => {
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

const openTables = async (folder: string, upkeep: Upkeep): Promise<Opened> => {
  const engine = await loadEngine()
  const session = new engine.Session(BigInt(upkeep.indexCacheBytes), descriptionsBytes)
  // 0: every read looks for what other processes wrote.
  const database = await engine.connect(folder, { readConsistencyInterval: 0 }, session)
  const [points, videos] = await Promise.all([database.openTable(pointsTable), database.openTable(videosTable)])
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

/** A commit that lost against another one; the same call made again sees what the other one wrote. */
export const isConflict = (error: unknown): boolean =>
  error instanceof Error && /commit conflict|preempted by concurrent|too many concurrent writers/i.test(error.message)

/** What a user can do something about, in words; anything else is returned as it is. */
export const storeErrorFrom = (error: unknown, folder: string): unknown => {
  if (!(error instanceof Error) || error instanceof StoreError) return error
  const known = causes.find(({ pattern }) => pattern.test(`${codeOf(error)} ${error.message}`))
  if (known) return new StoreError(known.code, known.message(folder), { remedy: known.remedy, cause: error })
  if (!isFromEngine(error)) return error
  return new StoreError('store-failed', `The store in ${folder} failed: ${firstLine(error.message)}`, {
    remedy: 'Try again; if it stays, look at the folder: vidgrep doctor',
    cause: error,
  })
}

type Cause = {
  readonly pattern: RegExp
  readonly code: string
  readonly message: (folder: string) => string
  readonly remedy: string
}

const causes: readonly Cause[] = [
  {
    pattern: /Not found: .*\.lance\/_versions/i,
    code: 'store-gone',
    message: (folder) => `The collection in ${folder} was removed or replaced while it was in use`,
    remedy: 'Run the same command again',
  },
  {
    pattern: /ENOSPC|EDQUOT|No space left|StorageFull|os error (28|122)\b|quota exceeded/i,
    code: 'store-full',
    message: (folder) => `The disk of ${folder} is full`,
    remedy: 'Make room on it, or move the folder to a larger disk; then run the same command again',
  },
  {
    pattern: /EROFS|Read-only file system|os error 30\b/i,
    code: 'store-not-writable',
    message: (folder) => `The folder ${folder} lies on a read-only disk`,
    remedy: 'Take another one: --store FOLDER, or VIDGREP_HOME=FOLDER for all that vidgrep keeps',
  },
  {
    pattern: /EACCES|EPERM|Permission denied|os error (13|1)\b/i,
    code: 'store-not-writable',
    message: (folder) => `The folder ${folder} may not be read or written`,
    remedy: 'Change its permissions, or take another one: --store FOLDER',
  },
  {
    pattern: /ENAMETOOLONG|File name too long|os error 36\b/i,
    code: 'store-name-too-long',
    message: (folder) => `The name of the folder ${folder} is too long`,
    remedy: 'Take a shorter one: --store FOLDER',
  },
  {
    pattern: /ENOENT.*mkdir/i,
    code: 'store-not-writable',
    message: (folder) => `The folder ${folder} cannot be made`,
    remedy: 'Take another one: --store FOLDER',
  },
  {
    pattern: /\bEIO\b|ESTALE|Input\/output error|os error (5|116)\b/i,
    code: 'store-unreadable',
    message: (folder) => `The disk of ${folder} cannot be read or written`,
    remedy: 'Check the disk or its connection, then run the same command again',
  },
  {
    pattern: /ENOTDIR|Not a directory|os error 20\b/i,
    code: 'store-not-a-folder',
    message: (folder) => `Expected a folder at ${folder}, got a file`,
    remedy: 'Name a folder: --store FOLDER',
  },
  {
    pattern: /EMFILE|ENFILE|Too many open files|os error (23|24)\b/i,
    code: 'store-too-many-files',
    message: (folder) => `The store in ${folder} needs more open files than the system allows`,
    remedy: 'Allow more: ulimit -n 4096',
  },
]

const isFromEngine = (error: Error): boolean => /lance/i.test(error.message)

const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? ''

/** The engine appends where in its own sources it failed. */
const firstLine = (message: string): string => message.split(/, \/|\n/, 1)[0]!.slice(0, 300)
