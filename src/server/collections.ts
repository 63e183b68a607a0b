import { stat } from 'node:fs/promises'
import { VidgrepError } from '../errors.ts'
import { CollectionMissingError, type Index, type OpenIndexOptions, openIndex, type VideoRecord } from '../index.ts'

/** Collections of one store, opened when they are first asked for, with their models kept warm. */
export type Collections = {
  /** @throws VidgrepError if the store cannot be reached; the next call tries again */
  open(name?: string): Promise<Index>
  /**
   * The record of a video: what may be shown is what a record names, never a path out of a request.
   * @throws VideoUnknownError if the collection does not have it
   */
  video(fingerprint: string, name?: string): Promise<VideoRecord>
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

export const openCollections = (options: OpenIndexOptions): Collections => {
  const opened = new Map<string, Promise<Index>>()

  const open = async (name = options.collection ?? ''): Promise<Index> => {
    const known = opened.get(name)
    if (known) return known
    const opening = openIndex({ ...options, collection: name || undefined })
    opened.set(name, opening)
    try {
      const index = await opening
      // A collection that does not exist yet may be made by somebody else at any moment.
      if (!index.store) opened.delete(name)
      return index
    } catch (error) {
      opened.delete(name)
      throw error
    }
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
    close: async () => {
      const indexes = await Promise.allSettled(opened.values())
      for (const index of indexes) if (index.status === 'fulfilled') await index.value.close()
    },
  }
}
