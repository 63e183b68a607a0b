import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { distance } from 'fastest-levenshtein'
import { UsageError, VidgrepError } from '../errors.ts'
import type { ManifestEntry, ModelDescription, ModelFile } from './manifest.ts'
import type { Model } from './model.ts'
import { knownModels, modelFolder } from './registry.ts'

/** The model is known, but its files are missing, damaged, or described wrongly. */
export class ModelError extends VidgrepError {}

/**
 * Finds a model and makes sure that its files are there and of the right size; their contents are only checked by
 * `vidgrep models verify`, as hashing a model takes longer than a search.
 *
 * @param nameOrFolder a known model's name, or the path of a folder with a model.json (with a `/` in it: `./folder`)
 * @throws UsageError if there is no such model
 * @throws ModelError if its files are not there or not right
 */
export const loadModel = async (nameOrFolder: string): Promise<Model> =>
  isFolder(nameOrFolder) ? loadFolder(resolve(nameOrFolder)) : loadKnown(await findModel(nameOrFolder))

/** @throws UsageError with the nearest names if no model is called so */
export const findModel = async (name: string): Promise<ManifestEntry> => {
  const models = await knownModels()
  const found = models.find((model) => model.name === name)
  if (found) return found
  const names = models.map((model) => model.name)
  throw new UsageError(`Expected the name of a model or a folder with a model.json, got "${name}"`, {
    remedy: `Did you mean ${nearest(name, names).join(' or ')}? See: vidgrep models list`,
  })
}

export type ListedModel = ManifestEntry & {
  /** Absolute. */
  readonly folder: string
  /** Of all files together. */
  readonly bytes: number
  readonly onDisk: boolean
}

/** All models that have a name, in the manifest's order. */
export const listModels = async (): Promise<readonly ListedModel[]> =>
  Promise.all(
    (await knownModels()).map(async (model) => {
      const folder = modelFolder(model)
      const states = await Promise.all(model.files.map((file) => fileState(folder, file)))
      return {
        ...model,
        folder,
        bytes: model.files.reduce((sum, file) => sum + file.bytes, 0),
        onDisk: states.every((state) => state.right),
      }
    }),
  )

const isFolder = (nameOrFolder: string): boolean => /[/\\]|^\.{1,2}$/.test(nameOrFolder) || isAbsolute(nameOrFolder)

const nearest = (name: string, names: readonly string[]): string[] => {
  const ranked = names.map((known) => ({ known, far: distance(name.toLowerCase(), known) }))
  const closest = Math.min(...ranked.map(({ far }) => far))
  return ranked.filter(({ far }) => far <= closest + 1).map(({ known }) => known)
}

const loadKnown = async (entry: ManifestEntry): Promise<Model> => {
  const folder = modelFolder(entry)
  const remedy = entry.carried ? 'Install vidgrep again' : `Pull it: vidgrep models pull ${entry.name}`
  for (const file of entry.files) {
    const { bytes, right } = await fileState(folder, file)
    if (right) continue
    const [code, got] = bytes === undefined ? ['model-missing', 'no such file'] : ['model-damaged', `${bytes}`]
    throw new ModelError(code, `Expected ${join(folder, file.path)} to have ${file.bytes} bytes, got ${got}`, {
      remedy,
    })
  }
  return locate(entry, folder)
}

const loadFolder = async (folder: string): Promise<Model> => {
  const description = await readDescription(join(folder, 'model.json'))
  const { image, text } = description
  for (const path of [image.file, text.file, text.tokenizer]) {
    if ((await fileState(folder, { path })).right) continue
    throw new ModelError('model-missing', `Expected the file ${join(folder, path)} that model.json names, got none`, {
      remedy: `Put it there, or correct ${join(folder, 'model.json')}`,
    })
  }
  return locate(description, folder)
}

const readDescription = async (file: string): Promise<ModelDescription> => {
  const json = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`Expected a model's folder with a model.json, got no readable ${file}`, {
      remedy: 'Give a folder with a model.json, or the name of a known model: vidgrep models list',
      cause,
    })
  })
  // Loading zod costs as much as the rest of a short command: only a folder of the user's own needs it.
  const [{ modelDescription }, { prettifyError }] = await Promise.all([import('./manifest.ts'), import('zod')])
  const invalid = (reason: string, cause: unknown) =>
    new ModelError('model-invalid', `Expected ${file} to describe a model, got: ${reason}`, {
      remedy: `Correct ${file}; models/starter/model.json shows what belongs in it`,
      cause,
    })
  let data: unknown
  try {
    data = JSON.parse(json)
  } catch (cause) {
    throw invalid((cause as Error).message, cause)
  }
  const { data: description, error } = modelDescription.safeParse(data)
  if (error) throw invalid(prettifyError(error).replaceAll('\n', ' '), error)
  return description
}

type FileState = { readonly bytes: number | undefined; readonly right: boolean }

/** By size alone; where none is expected, being there and not empty is enough. */
const fileState = async (folder: string, file: Pick<ModelFile, 'path'> & Partial<ModelFile>): Promise<FileState> => {
  const found = await stat(join(folder, file.path)).catch(() => undefined)
  if (!found?.isFile()) return { bytes: undefined, right: false }
  return { bytes: found.size, right: file.bytes === undefined ? found.size > 0 : found.size === file.bytes }
}

/** Drops what only the manifest needs and makes paths absolute. */
const locate = (described: ModelDescription, folder: string): Model => {
  const { id, name, description, dimension, threshold, licence, image, text } = described
  const { sha256: _image, ...imageTower } = image
  const { sha256: _text, ...textTower } = text
  return {
    id,
    name,
    description,
    dimension,
    threshold,
    licence,
    image: { ...imageTower, file: join(folder, image.file) },
    text: { ...textTower, file: join(folder, text.file), tokenizer: join(folder, text.tokenizer) },
  }
}
