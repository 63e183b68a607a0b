import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { NotAVideoError, regularFile, UnreadableFileError } from './regular.ts'

/** A place where a video lies. Size and time of change tell without reading it whether it is still the same file. */
export type VideoFile = {
  /** Absolute. */
  readonly path: string
  readonly bytes: number
  /** Time of the last change in milliseconds since 1970. */
  readonly modifiedMs: number
}

/** @throws UnreadableFileError, NotAVideoError if there is no regular file */
export const videoFile = async (path: string): Promise<VideoFile> => {
  const { size, mtimeMs } = await regularFile(path)
  return { path: resolve(path), bytes: size, modifiedMs: Math.round(mtimeMs) }
}

/** `first`, then those of `others` that lie elsewhere. */
export const mergedFiles = (first: readonly VideoFile[], others: readonly VideoFile[]): readonly VideoFile[] => {
  const paths = new Set(first.map(({ path }) => path))
  return [...first, ...others.filter(({ path }) => !paths.has(path))]
}

/** Gone is only what is certainly not there: a disk that cannot be read now may come back. */
export const isGone = async (path: string): Promise<boolean> => {
  try {
    await access(path)
    return false
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}

/** Whether a file that is still there is another one than before, by its size and time of change. */
export const hasChanged = async ({ path, bytes, modifiedMs }: VideoFile): Promise<boolean> => {
  try {
    const now = await videoFile(path)
    return now.bytes !== bytes || now.modifiedMs !== modifiedMs
  } catch (error) {
    if (error instanceof NotAVideoError) return true
    if (error instanceof UnreadableFileError) return false
    throw error
  }
}
