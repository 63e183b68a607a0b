import { isAbsolute, join, resolve } from 'node:path'
import { ModelError } from './errors.ts'
import { fileState, type Precision, towerFiles } from './files.ts'
import { findModel } from './find.ts'
import { loadFolder, locate } from './folder.ts'
import type { LoadOptions } from './hub/hub.ts'
import type { ManifestEntry } from './manifest.ts'
import type { Model } from './model.ts'
import { expectedFiles } from './record.ts'
import { addedFolder, isHubName, modelFolder } from './registry.ts'

/**
 * Finds a model and makes sure that its files are there and of the right size; their contents are only checked by
 * `vidgrep models verify`, as hashing a model takes longer than a search.
 *
 * @param nameOrFolder a known or added model's name, `hf:ORG/NAME` for a repository of the hub, or the path of a folder with a model.json (with a `/` in it:
 * `./folder`)
 * @throws UsageError if there is no such model
 * @throws ModelError if its files are not there or not right
 */
export const loadModel = async (
  nameOrFolder: string,
  precision: Precision = {},
  options: LoadOptions = {},
): Promise<Model> => {
  if (isHubName(nameOrFolder)) {
    const { loadHubModel } = await import('./hub/hub.ts')
    return loadHubModel(nameOrFolder, options)
  }
  if (isFolder(nameOrFolder)) return loadFolder(resolve(nameOrFolder))
  const added = addedFolder(nameOrFolder)
  return added ? loadFolder(added) : loadKnown(await findModel(nameOrFolder), precision)
}

const isFolder = (nameOrFolder: string): boolean => /[/\\]|^\.{1,2}$/.test(nameOrFolder) || isAbsolute(nameOrFolder)

/**
 * The exact towers, but for a smaller text tower that was pulled in its place. That is no other model: what is stored
 * comes from the image tower.
 */
export const precisionOnDisk = async (entry: ManifestEntry, folder: string): Promise<Precision> => {
  const files = await expectedFiles(entry, folder, {})
  const exact = files.find(({ path }) => path === entry.text.file)
  if (!exact || (await fileState(folder, exact)).right) return {}
  for (const text of ['fp16', 'int8'] as const) {
    const path = towerFiles(entry, { text }).text
    const smaller = (await expectedFiles(entry, folder, { text })).find((file) => file.path === path)
    if (path !== exact.path && smaller && (await fileState(folder, smaller)).right) return { text }
  }
  return {}
}

const loadKnown = async (entry: ManifestEntry, wanted: Precision): Promise<Model> => {
  const folder = modelFolder(entry)
  const precision = wanted.text === undefined ? { ...wanted, ...(await precisionOnDisk(entry, folder)) } : wanted
  const remedy = entry.carried ? 'Install vidgrep again' : `Pull it: vidgrep models pull ${entry.name}`
  for (const file of await expectedFiles(entry, folder, precision)) {
    const { bytes, right } = await fileState(folder, file)
    if (right) continue
    const path = join(folder, file.path)
    throw bytes === undefined
      ? new ModelError('model-missing', `Expected the model ${entry.name} to be on disk, got no file ${path}`, {
          remedy,
        })
      : new ModelError('model-damaged', `Expected ${path} to have ${file.bytes} bytes, got ${bytes}`, { remedy })
  }
  const { image, text } = towerFiles(entry, precision)
  const half = precision.image === undefined && (await halfFile(entry, folder))
  const model = locate(
    { ...entry, image: { ...entry.image, file: image }, text: { ...entry.text, file: text } },
    folder,
  )
  return half ? { ...model, image: { ...model.image, halfFile: half } } : model
}

/** The image tower in half precision, if it was pulled too. */
const halfFile = async (entry: ManifestEntry, folder: string): Promise<string | undefined> => {
  const { image } = towerFiles(entry, { image: 'fp16' })
  const file = (await expectedFiles(entry, folder, { image: 'fp16' })).find(({ path }) => path === image)
  return file && image !== entry.image.file && (await fileState(folder, file)).right ? join(folder, image) : undefined
}
