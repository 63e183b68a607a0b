import { stat } from 'node:fs/promises'
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
  /** After an error of the store: what is open may stand on what is not there any more, and is opened anew. */
  reopen(name?: string): void
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

export const openCollections = (options: OpenIndexOptions): Collections => {
  const opened = new Map<string, Promise<Index>>()

  const open = (name = options.collection ?? ''): Promise<Index> => {
    const opening = opened.get(name)?.then(
      (index) => (index.store ? index : instead(index, name)),
      () => openNamed(name),
    )
    const index = opening ?? openNamed(name)
    opened.set(name, index)
    return index
  }
  const openNamed = (name: string) => openIndex({ ...options, collection: name || undefined })
  /** A collection that does not exist yet may be made at any moment, by this index or by another process. */
  const instead = async (empty: Index, name: string): Promise<Index> => {
    const index = await openNamed(name)
    if (index.store && !empty.store) return index
    await index.close()
    return empty
  }

  return {
    open,
    video: async (fingerprint, name) => {
      const { store } = await open(name)
      if (!store) throw new CollectionMissingError(name ?? '', 'the store', [])
      const record = await store.record(fingerprint)
      if (!record) throw new VideoUnknownError(fingerprint, store.collection.name)
      return record
    },
    names: () => collectionNames(options),
    reopen: (name = options.collection ?? '') => {
      const stale = opened.get(name)
      opened.delete(name)
      stale?.then((index) => index.close()).catch(() => {})
    },
    close: async () => {
      const indexes = await Promise.allSettled(opened.values())
      for (const index of indexes) if (index.status === 'fulfilled') await index.value.close()
    },
  }
}
