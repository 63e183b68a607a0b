import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { folders } from '../index.ts'
import { warn } from './run.ts'

/** The fastest of those whose every hash is known. */
const clip = 'clip-vit-b-32'

const dayMs = 24 * 3600 * 1000

export type Hint = {
  /** Whether a person is there to read it. */
  readonly terminal: boolean
  /** Where it is remembered when the hint was given. */
  readonly folder: string
  readonly write: (line: string) => void
}

/**
 * Says that CLIP finds more than the starter model, at most once in 24 hours. Where that cannot be remembered it says
 * nothing: a line at every search would be worse than none.
 */
export const hintAtClip = async (hint?: Hint): Promise<void> => {
  const { terminal, folder, write } = hint ?? { terminal: process.stderr.isTTY, folder: folders().data, write: warn }
  if (!terminal || !(await remember(join(folder, 'clip-hint')))) return
  write(`CLIP finds far more than the starter model: vidgrep models pull ${clip} && vidgrep reindex --model ${clip}`)
}

/** @returns whether it was not remembered within a day, and is now */
const remember = async (file: string): Promise<boolean> => {
  const lastMs = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => Number.NEGATIVE_INFINITY,
  )
  // A clock that was set back must not silence it for good.
  if (Math.abs(Date.now() - lastMs) < dayMs) return false
  try {
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, '')
    return true
  } catch {
    return false
  }
}
