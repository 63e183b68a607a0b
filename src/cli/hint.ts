import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defaultModelName, knownModels } from '../models/disk.ts'
import { folders } from '../settings.ts'
import { warn } from './run.ts'

/** The fastest of those whose every hash is known. */
const clip = 'clip-vit-b-32'

const dayMs = 24 * 3600 * 1000

export type Hint = {
  /** Whether a person is there to read it. */
  readonly terminal: boolean
  /** Where it is remembered when the hint was given. */
  readonly folder: string
  readonly say: (line: string) => void
}

/**
 * Says that CLIP finds more than the carried model, at most once in 24 hours. Where that cannot be remembered it says
 * nothing: a line at every search would be worse than none.
 * @param modelId of the model that was searched with
 */
export const hintAtClip = async (
  modelId: string,
  { terminal, folder, say }: Hint = { terminal: process.stderr.isTTY, folder: folders().data, say: warn },
): Promise<void> => {
  if (!terminal || !(await isStarter(modelId)) || !(await remember(join(folder, 'clip-hint')))) return
  say(`CLIP finds far more than the starter model: vidgrep models pull ${clip} && vidgrep reindex --model ${clip}`)
}

const isStarter = async (modelId: string): Promise<boolean> =>
  (await knownModels()).some(({ id, name }) => id === modelId && name === defaultModelName)

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
