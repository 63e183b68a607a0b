import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { UsageError, VidgrepError } from '../errors.ts'

/** Nothing could be written there: no permission, no space, or another fault of the disk. */
export class OutputError extends VidgrepError {
  constructor(message: string, details: { remedy: string; cause?: unknown }) {
    super('output', message, details)
  }
}

/** What may take the place of a file: its like. `name` as it is called in a message. */
export type Kind = { readonly name: string; readonly includes: (file: string) => Promise<boolean> }

/** @throws UsageError, OutputError where it cannot be made, or nothing may be written in it */
export const makeFolder = async (folder: string): Promise<void> => {
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK)
  } catch (cause) {
    throw cannotWrite(folder, cause)
  }
}

/**
 * Makes sure that a file can be written: what stands there already may be replaced by its like, and by nothing else.
 *
 * @throws UsageError for a folder that does not exist, or a file of another kind
 * @throws OutputError for a place that cannot be written to
 */
export const checkFile = async (file: string, { name, includes }: Kind): Promise<void> => {
  try {
    await access(dirname(file), constants.W_OK)
    const found = await stat(file)
    if (found.isDirectory()) {
      throw new UsageError(`Expected a file to write, got a folder: ${file}`, { remedy: 'Name a file in it' })
    }
    if (found.isFile() && (found.size === 0 || (await includes(file)))) return
  } catch (cause) {
    if (isMissing(cause) && (await isFolder(dirname(file)))) return
    throw cause instanceof VidgrepError ? cause : cannotWrite(file, cause)
  }
  throw new UsageError(`${file} exists and is not ${name}: it is not overwritten`, {
    remedy: 'Choose another name, or remove the file first',
  })
}

/**
 * Writes a file beside its place and renames it: nobody sees half a file, and a full disk spoils none that was there.
 *
 * @param write makes the file at the path that it is given, which has the same ending
 * @throws UsageError, OutputError as {@link checkFile}; what `write` throws, faults of the system in words
 */
export const replaceFile = async (
  file: string,
  kind: Kind,
  write: (unfinished: string) => Promise<void>,
): Promise<void> => {
  await checkFile(file, kind)
  const target = await realpath(file).catch(() => file)
  const unfinished = join(dirname(target), `.vidgrep-${randomUUID()}${extname(target)}`)
  try {
    await write(unfinished)
    await rename(unfinished, target)
  } catch (cause) {
    await rm(unfinished, { force: true }).catch(() => {})
    throw cause instanceof VidgrepError ? cause : cannotWrite(file, cause)
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** What the system said, in words; what it did not say is a bug. */
const cannotWrite = (path: string, cause: unknown): unknown => {
  const { code } = cause as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT':
      return new UsageError(`There is no folder ${dirname(path)} to write ${path} in`, {
        remedy: `Make it: mkdir -p "${dirname(path)}"`,
        cause,
      })
    case 'ENOTDIR':
    case 'EEXIST':
      return new UsageError(`Cannot write ${path}: part of the path is a file, not a folder`, {
        remedy: 'Choose another place',
        cause,
      })
    case 'ENAMETOOLONG':
      return new UsageError(`Cannot write ${path}: the name is too long`, { remedy: 'Choose a shorter name', cause })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new OutputError(
        `Cannot write ${path}: ${code === 'EROFS' ? 'read-only file system' : 'permission denied'}`,
        {
          remedy: `Choose a folder that you may write to, or check its permissions: ls -ld "${dirname(path)}"`,
          cause,
        },
      )
    case 'ENOSPC':
    case 'EDQUOT':
      return new OutputError(`Cannot write ${path}: no space left on the disk`, {
        remedy: 'Make room, or choose a folder on another disk',
        cause,
      })
    default:
      // An abort signal's reason has a number.
      return typeof code === 'string'
        ? new OutputError(`Cannot write ${path}: ${code}`, { remedy: 'Choose another place', cause })
        : cause
  }
}
