import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { VidgrepError } from '../errors.ts'
import { isSystemError, openRegular, unreadable } from './regular.ts'

export type FingerprintOptions = {
  readonly signal?: AbortSignal
  /** Called after each piece that was read. */
  readonly onProgress?: (bytesRead: number, bytesTotal: number) => void
}

/** Bytes read at once: all the memory that it takes. */
const pieceBytes = 1024 * 1024

/** Hexadecimal digits: 128 bits, so that two of a billion videos collide with a chance of 10⁻²¹. */
const digits = 32

/**
 * What a video is known by, whatever its name and place: the first half of the SHA-256 of its content, 32 hexadecimal
 * digits.
 *
 * @throws UnreadableFileError if the file cannot be read
 * @throws NotAVideoError if it is no regular file
 * @throws VidgrepError with code `file-changed` if it was written to meanwhile
 */
export const fingerprint = async (path: string, { signal, onProgress }: FingerprintOptions = {}): Promise<string> => {
  signal?.throwIfAborted()
  try {
    const file = await openRegular(path)
    try {
      return await digest(path, file, signal, onProgress)
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw isSystemError(cause) ? unreadable(path, cause) : cause
  }
}

const digest = async (
  path: string,
  file: FileHandle,
  signal: AbortSignal | undefined,
  onProgress: FingerprintOptions['onProgress'],
): Promise<string> => {
  const before = await file.stat()
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(pieceBytes)
  let bytesRead = 0
  for (;;) {
    const read = await file.read(piece, 0, pieceBytes, null)
    signal?.throwIfAborted()
    if (read.bytesRead === 0) break
    hash.update(piece.subarray(0, read.bytesRead))
    bytesRead += read.bytesRead
    onProgress?.(bytesRead, before.size)
  }
  const after = await file.stat()
  if (after.size !== before.size || after.mtimeMs !== before.mtimeMs || bytesRead !== before.size) {
    throw new VidgrepError('file-changed', `The file changed while it was read: ${path}`, {
      remedy: 'Run it again when the file is complete',
    })
  }
  return hash.digest('hex').slice(0, digits)
}
