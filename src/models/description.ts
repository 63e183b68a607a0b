import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../errors.ts'
import { fileState } from './disk.ts'
import type { ManifestEntry, ModelDescription } from './manifest.ts'
import { type Model, ModelError } from './model.ts'

/**
 * A model that a model.json in its folder describes.
 *
 * @throws UsageError if there is no model.json
 * @throws ModelError if it is wrong or names files that are not there
 */
export const loadFolder = async (folder: string): Promise<Model> => {
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

/** @throws UsageError, ModelError as {@link loadFolder} does */
export const readDescription = async (file: string): Promise<ModelDescription> => {
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

/** Drops what only the manifest needs and makes paths absolute. */
export const locate = (described: ModelDescription | ManifestEntry, folder: string): Model => {
  const { id, name, description, dimension, threshold, licence } = described
  return {
    id,
    name,
    description,
    dimension,
    threshold,
    licence,
    image: { ...towerOf(described.image), file: join(folder, described.image.file) },
    text: {
      ...towerOf(described.text),
      file: join(folder, described.text.file),
      tokenizer: join(folder, described.text.tokenizer),
    },
  }
}

const towerOf = <Tower extends { sha256?: unknown; variants?: unknown }>(tower: Tower) => {
  const { sha256: _sha256, variants: _variants, ...rest } = tower
  return rest
}
