import { statfs } from 'node:fs/promises'
import { ModelError } from '../errors.ts'
import { fileState } from '../files.ts'
import type { PlannedFile } from './plan.ts'

/**
 * Makes sure that what is still missing fits on the disk.
 *
 * @param free bytes that may be written in a folder
 * @throws ModelError of code `disk-full`
 */
export const expectSpace = async (
  staging: string,
  files: readonly PlannedFile[],
  free: (folder: string) => Promise<number>,
): Promise<void> => {
  const states = await Promise.all(files.map((file) => fileState(staging, { path: file.path })))
  const needed = files.reduce(
    (sum, file, i) => sum + Math.max(0, (file.bytes ?? file.aboutBytes ?? 0) - (states[i]!.bytes ?? 0)),
    0,
  )
  const available = await free(staging)
  if (needed <= available) return
  throw new ModelError('disk-full', `Expected ${needed} free bytes for the model in ${staging}, got ${available}`, {
    remedy: 'Make room there, or choose another place: VIDGREP_HOME=/other/folder',
  })
}

/** What the file system says. */
export const freeBytes = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
