import { constants, type Stats } from 'node:fs'
import { access, type FileHandle, open, stat } from 'node:fs/promises'
import { UsageError, VidgrepError } from '../errors.ts'

/** The file cannot be opened: it is missing, or we have no permission to read it. */
export class UnreadableFileError extends VidgrepError {
  constructor(message: string, details: { remedy: string; cause?: unknown }) {
    super('unreadable-file', message, details)
  }
}

/** The file holds no video that can be decoded: it is skipped or `failed`. */
export class NotAVideoError extends VidgrepError {
  constructor(message: string, details: { remedy: string; cause?: unknown }) {
    super('not-a-video', message, details)
  }
}

/** What a file is expected to be. */
type What = 'video' | 'picture'

/**
 * Looks at a file without opening it: reading from a named pipe or a device may never end.
 *
 * @throws UnreadableFileError if the path does not exist
 * @throws NotAVideoError if it is a folder, a named pipe, a device or a socket; a UsageError if a picture is expected
 */
export const regularFile = async (path: string, what: What = 'video'): Promise<Stats> => {
  const stats = await orUnreadable(path, stat(path))
  expectRegular(path, stats, what)
  return stats
}

/**
 * @throws UnreadableFileError if the path does not exist or may not be read
 * @throws NotAVideoError if it is no regular file, or an empty one
 */
export const checkReadable = async (path: string): Promise<void> => {
  const { size } = await regularFile(path)
  await orUnreadable(path, access(path, constants.R_OK))
  if (size > 0) return
  throw new NotAVideoError(`Expected a video, got an empty file: ${path}`, { remedy: 'Copy or download it again' })
}

/**
 * Opens a regular file for reading. What it is may have changed since it was looked at, so it is asked again, and
 * opening does not wait for somebody to write to a pipe.
 *
 * @throws UnreadableFileError, NotAVideoError as {@link checkReadable}
 */
export const openRegular = async (path: string, what: What = 'video'): Promise<FileHandle> => {
  await regularFile(path, what)
  const file = await orUnreadable(path, open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)))
  try {
    expectRegular(path, await file.stat(), what)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

const expectRegular = (path: string, stats: Stats, what: What): void => {
  if (stats.isFile()) return
  const message = `Expected a ${what} file, got ${kindOf(stats)}: ${path}`
  const remedy = `Name a ${what} file`
  throw what === 'video' ? new NotAVideoError(message, { remedy }) : new UsageError(message, { remedy })
}

const kindOf = (stats: Stats): string => {
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a named pipe'
  return stats.isSocket() ? 'a socket' : 'a device'
}

const orUnreadable = async <T>(path: string, result: Promise<T>): Promise<T> => {
  try {
    return await result
  } catch (cause) {
    throw isSystemError(cause) ? unreadable(path, cause) : cause
  }
}

/** Names what the system said of a file, in words. */
export const unreadable = (path: string, cause: NodeJS.ErrnoException): UnreadableFileError => {
  const missing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR'
  if (missing) return new UnreadableFileError(`There is no file ${path}`, { remedy: 'Check the path', cause })
  const denied = cause.code === 'EACCES' || cause.code === 'EPERM'
  const reason = denied ? 'permission denied' : (cause.code ?? cause.message)
  return new UnreadableFileError(`Cannot read ${path}: ${reason}`, {
    remedy: `Check its permissions: ls -l "${path}"`,
    cause,
  })
}

export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error
