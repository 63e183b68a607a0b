import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { UsageError } from '../errors.ts'
import { folders } from '../settings.ts'
import { version } from '../version.ts'
import { fileState, hubLayout } from './disk.ts'
import type { ManifestEntry, ModelDescription } from './manifest.ts'
import { type Model, ModelError } from './model.ts'
import { readOnnx } from './onnx.ts'
import { lesserFiles } from './precision.ts'

/**
 * A model in a folder of its own.
 *
 * @throws UsageError, ModelError as {@link describeFolder}
 * @throws ModelError if it names files that are missing
 */
export const loadFolder = async (folder: string): Promise<Model> => {
  const description = await describeFolder(folder)
  for (const path of filesOf(folder, description)) {
    if ((await fileState(folder, { path })).right) continue
    const [at, described] = [join(folder, path), join(folder, 'model.json')]
    throw new ModelError('model-missing', `Expected the file ${at}, which the model needs, got none`, {
      remedy: existsSync(described) ? `Put it there, or correct ${described}` : 'Put it there',
    })
  }
  return locate(description, folder)
}

/** Everything that a model in a folder needs, weights outside of its graphs included; relative to the folder. */
export const filesOf = (folder: string, { image, text }: ModelDescription): readonly string[] => [
  ...[image.file, ...Object.values(lesserFiles(folder, image)), text.file].flatMap((graph) => [
    graph,
    ...weightsOf(folder, graph),
  ]),
  text.tokenizer,
]

/** Files beside a graph that hold weights of it, relative to the folder. @throws ModelError if one lies elsewhere */
export const weightsOf = (folder: string, graph: string): readonly string[] =>
  existsSync(join(folder, graph))
    ? readOnnx(join(folder, graph)).weights.map((weights) => {
        const path = posix.join(posix.dirname(graph), weights)
        if (!posix.isAbsolute(weights) && !path.startsWith('../')) return path
        throw new ModelError('model-invalid', `Expected ${graph} to keep its weights beside it, got ${weights}`, {
          remedy: 'Export the model again, with its weights in the folder of the graph',
        })
      })
    : []

/**
 * Describes a model in a folder: by its model.json, or, without one, by the configuration files of a folder as it lies on
 * the hub.
 *
 * @throws UsageError if it has neither
 * @throws ModelError if what describes it is wrong
 */
export const describeFolder = async (folder: string): Promise<ModelDescription> => {
  const has = (path: string): boolean => existsSync(join(folder, path))
  const towers = hubLayout.towers.find(({ image, text }) => has(image) && has(text))
  if (has('model.json') || !towers || !hubLayout.configs.every(has)) return readDescription(join(folder, 'model.json'))
  // The library takes a while to load: `models add` spares later runs of it.
  const { describeHubFolder } = await import('./hub/describe.ts')
  return describeHubFolder(folder, towers)
}

/** @throws UsageError, ModelError as {@link describeFolder} */
export const readDescription = async (file: string): Promise<ModelDescription> => {
  const json = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`Expected a model's folder with a model.json, got no readable ${file}`, {
      remedy:
        'Give a folder with a model.json or with the files of a repository of the hub, or the name of a known model: vidgrep models list',
      cause,
    })
  })
  // Loading zod costs as much as the rest of a short command: what was found right is not checked again.
  const found = join(folders().cache, 'descriptions', hashOf(json))
  if (existsSync(found)) return JSON.parse(json)
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
  // A cache that cannot be written to costs only time.
  await mkdir(dirname(found), { recursive: true })
    .then(() => writeFile(found, ''))
    .catch(() => {})
  return description
}

/** Another version may want something else of a description. */
const hashOf = (json: string): string => createHash('sha256').update(`${version}\n${json}`).digest('hex')

/** Drops what only the manifest needs and makes paths absolute. */
export const locate = (described: ModelDescription | ManifestEntry, folder: string): Model => {
  const { id, name, description, dimension, threshold, sameFrame, licence, languages } = described
  return {
    id,
    name,
    description,
    dimension,
    threshold,
    sameFrame,
    licence,
    languages,
    image: {
      ...towerOf(described.image),
      file: join(folder, described.image.file),
      lesserFiles: Object.fromEntries(
        Object.entries(lesserFiles(folder, described.image)).map(([precision, file]) => [
          precision,
          join(folder, file),
        ]),
      ),
    },
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
