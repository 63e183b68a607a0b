import { isAbsolute, join, resolve } from 'node:path'
import { distance } from 'fastest-levenshtein'
import { UsageError } from '../errors.ts'
import { loadFolder, locate } from './description.ts'
import {
  addedFolder,
  addedNames,
  choiceOnDisk,
  expectedFiles,
  fileState,
  isHubName,
  knownModels,
  modelFolder,
  towerFiles,
} from './disk.ts'
import type { LoadOptions } from './hub/hub.ts'
import type { ManifestEntry } from './manifest.ts'
import { type Model, ModelError } from './model.ts'
import { inPrecision } from './precision.ts'

/**
 * Finds a model and makes sure that its files are there and of the right size. Their contents are only checked by
 * `vidgrep models verify`, as hashing a model takes longer than a search.
 *
 * @param nameOrFolder a known or added model's name, `hf:ORG/NAME` for a repository of the hub, or the path of a folder
 * with a model.json (with a `/` in it: `./folder`)
 * @throws UsageError if there is no such model
 * @throws ModelError if its files are missing or not right, or it has none of the precision
 */
export const loadModel = async (nameOrFolder: string, options: LoadOptions = {}): Promise<Model> =>
  inPrecision(await loadFull(nameOrFolder, options), options.precision)

const loadFull = async (nameOrFolder: string, options: LoadOptions): Promise<Model> => {
  if (isHubName(nameOrFolder)) {
    const { loadHubModel } = await import('./hub/hub.ts')
    return loadHubModel(nameOrFolder, options)
  }
  if (isFolder(nameOrFolder)) return loadFolder(resolve(nameOrFolder))
  const added = addedFolder(nameOrFolder)
  return added ? loadFolder(added) : loadKnown(await findModel(nameOrFolder))
}

const isFolder = (nameOrFolder: string): boolean => /[/\\]|^\.{1,2}$/.test(nameOrFolder) || isAbsolute(nameOrFolder)

/** @throws UsageError with the nearest names if the manifest has no model of this name */
export const findModel = async (name: string): Promise<ManifestEntry> => {
  const models = await knownModels()
  const found = models.find((model) => model.name === name)
  if (found) return found
  const names = [...models.map((model) => model.name), ...(await addedNames())]
  throw new UsageError(`Expected the name of a model or a folder with a model.json, got "${name}"`, {
    remedy: `Did you mean ${nearest(name, names).join(' or ')}? See: vidgrep models list`,
  })
}

const nearest = (name: string, names: readonly string[]): string[] => {
  const ranked = names.map((known) => ({ known, far: distance(name.toLowerCase(), known) }))
  const closest = Math.min(...ranked.map(({ far }) => far))
  return ranked.filter(({ far }) => far <= closest + 1).map(({ known }) => known)
}

const loadKnown = async (entry: ManifestEntry): Promise<Model> => {
  const folder = modelFolder(entry)
  const choice = await choiceOnDisk(entry, folder)
  const remedy = entry.carried ? 'Install vidgrep again' : `Pull it: vidgrep models pull ${entry.name}`
  for (const file of await expectedFiles(entry, folder, choice)) {
    const { bytes, right } = await fileState(folder, file)
    if (right) continue
    const path = join(folder, file.path)
    throw bytes === undefined
      ? new ModelError('model-missing', `Expected the model ${entry.name} to be on disk, got no file ${path}`, {
          remedy,
        })
      : new ModelError('model-damaged', `Expected ${path} to have ${file.bytes} bytes, got ${bytes}`, { remedy })
  }
  const { text } = towerFiles(entry, choice)
  const half = await halfFile(entry, folder)
  const model = locate({ ...entry, text: { ...entry.text, file: text } }, folder)
  return half ? { ...model, image: { ...model.image, halfFile: half } } : model
}

/** The image tower in half precision, if it was pulled too. */
const halfFile = async (entry: ManifestEntry, folder: string): Promise<string | undefined> => {
  const { image } = towerFiles(entry, { image: 'fp16' })
  const file = (await expectedFiles(entry, folder, { image: 'fp16' })).find(({ path }) => path === image)
  return file && image !== entry.image.file && (await fileState(folder, file)).right ? join(folder, image) : undefined
}
