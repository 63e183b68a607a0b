import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { folders } from '../settings.ts'
import type { Manifest, ManifestEntry } from './manifest.ts'

/** Used where neither the user nor the collection names a model. */
export const defaultModelName = 'starter'

/** The package's own models folder: two levels up both from src/models and from dist/models. */
const carriedFolder = fileURLToPath(new URL('../../models/', import.meta.url))

let known: Promise<readonly ManifestEntry[]> | undefined

/**
 * All models that have a name. The manifest is part of the package and the tests hold it against its schema; checking it
 * again at each start would cost a search 40 ms.
 */
export const knownModels = (): Promise<readonly ManifestEntry[]> => {
  known ??= readFile(join(carriedFolder, 'manifest.json'), 'utf8').then((json) => (JSON.parse(json) as Manifest).models)
  return known
}

/** Where a known model's files are, or would be once they are pulled. */
export const modelFolder = ({ name, carried }: Pick<ManifestEntry, 'name' | 'carried'>): string =>
  carried ? join(carriedFolder, name) : join(pulledFolder(), name)

/** Where pulled and added models lie, each in a folder of its name. */
export const pulledFolder = (): string => join(folders().cache, 'models')

/** The folder of a model that the user added under this name, `undefined` if there is none. */
export const addedFolder = (name: string): string | undefined => {
  if (!/^[a-z0-9-]+$/.test(name)) return undefined
  const folder = join(pulledFolder(), name)
  return existsSync(join(folder, 'model.json')) ? folder : undefined
}

/** Names of the models that the user added. */
export const addedNames = async (): Promise<readonly string[]> =>
  (await readdir(pulledFolder()).catch(() => [])).filter((name) => addedFolder(name) !== undefined).sort()

/** Whether a model's name means a repository of the Hugging Face hub. */
export const isHubName = (name: string): boolean => name.startsWith('hf:')
