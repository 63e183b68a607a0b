import { stat } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import { VidgrepError } from '../errors.ts'
import {
  CollectionMissingError,
  collectionNames,
  type Index,
  type OpenIndexOptions,
  openIndex,
  StoreError,
  type VideoRecord,
} from '../index.ts'

/** Collections of one store, opened when they are first asked for, with their models kept warm. */
export type Collections = {
  /** @throws VidgrepError if the store cannot be reached; the next call tries again */
  open(name?: string): Promise<Index>
  /**
   * The record of a video: what may be shown is what a record names, never a path out of a request.
   * @throws VideoUnknownError if the collection does not have it
   */
  video(fingerprint: string, name?: string): Promise<VideoRecord>
  /** The collections that there are, sorted. */
  names(): Promise<readonly string[]>
  /**
   * After an error of the store: what is open may stand on what is not there any more, and is opened anew. What others
   * have opened since stays.
   * @param sinceMs when that which failed began, as `performance.now()` has it
   */
  reopen(name: string | undefined, sinceMs: number): void
  close(): Promise<void>
}

export class VideoUnknownError extends VidgrepError {
  constructor(fingerprint: string, collection: string) {
    super('video-unknown', `Collection "${collection}" has no video ${fingerprint}`, {
      remedy: 'It may have been removed since the page was loaded: search again',
    })
  }
}

export class FileGoneError extends VidgrepError {
  constructor({ video, files }: VideoRecord) {
    super('file-gone', `The file is gone, or has changed: ${files[0]?.path ?? video}`, {
      remedy: 'Index its folder again, or forget files that are gone: vidgrep prune',
    })
  }
}

/**
 * Where a video lies: the first of its places where a file of its size still is.
 * @throws FileGoneError if there is none
 */
export const presentPath = async (record: VideoRecord): Promise<string> => {
  for (const { path, bytes } of record.files) {
    const found = await stat(path).catch(() => undefined)
    if (found?.isFile() && found.size === bytes) return path
  }
  throw new FileGoneError(record)
}

/** An error of what is stored, not of the question: opening the collection anew may help. */
export const isStoreError = (error: unknown): boolean =>
  error instanceof StoreError && !(error instanceof CollectionMissingError)

/** How long what is under way may go on with a collection that was opened anew for others, in milliseconds. */
const graceMs = 30_000

/** How long the record of a video counts as known, in milliseconds: a page asks for dozens of pictures at once. */
const recordsKeptMs = 3000
const mostRecords = 1000

export const openCollections = (options: OpenIndexOptions): Collections => {
  const opened = new Map<string, { readonly index: Promise<Index>; readonly atMs: number }>()
  const leaving = new Map<Promise<Index>, NodeJS.Timeout>()
  const records = new LRUCache<string, VideoRecord>({ max: mostRecords, ttl: recordsKeptMs })

  const open = (name = options.collection ?? ''): Promise<Index> => {
    const known = opened.get(name)
    const openAnew = (): Promise<Index> => {
      next.atMs = performance.now()
      return openNamed(name)
    }
    const next = { index: known?.index ?? openNamed(name), atMs: known?.atMs ?? performance.now() }
    if (known) next.index = known.index.then((index) => (index.store ? index : instead(index, name)), openAnew)
    opened.set(name, next)
    return next.index
  }
  const openNamed = (name: string) => openIndex({ ...options, collection: name || undefined })
  /** A collection that does not exist yet may be made at any moment, by this index or by another process. */
  const instead = async (empty: Index, name: string): Promise<Index> => {
    const index = await openNamed(name)
    if (index.store && !empty.store) return index
    await index.close()
    return empty
  }
  /** Closed under their hands, what others do with it would fail, and they would reopen it again. */
  const closeLater = (index: Promise<Index>): void => {
    const close = (): void => {
      leaving.delete(index)
      // What could not be opened need not be closed.
      index.then((each) => each.close()).catch(() => {})
    }
    leaving.set(index, setTimeout(close, graceMs).unref())
  }

  return {
    open,
    video: async (fingerprint, name) => {
      const key = `${name ?? ''} ${fingerprint}`
      const kept = records.get(key)
      if (kept) return kept
      const { store } = await open(name)
      if (!store) throw new CollectionMissingError(name ?? '', 'the store', [])
      const record = await store.record(fingerprint)
      if (!record) throw new VideoUnknownError(fingerprint, store.collection.name)
      records.set(key, record)
      return record
    },
    names: () => collectionNames(options),
    reopen: (name = options.collection ?? '', sinceMs) => {
      const stale = opened.get(name)
      if (!stale || stale.atMs > sinceMs) return
      opened.delete(name)
      closeLater(stale.index)
    },
    close: async () => {
      for (const timer of leaving.values()) clearTimeout(timer)
      const all = [...opened.values()].map(({ index }) => index)
      const indexes = await Promise.allSettled([...all, ...leaving.keys()])
      for (const index of indexes) if (index.status === 'fulfilled') await index.value.close()
    },
  }
}
