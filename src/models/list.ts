import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type LesserPrecision, lesserPrecisions, type Precision } from '../settings.ts'
import { filesOf, readDescription } from './description.ts'
import {
  addedFolder,
  choiceOnDisk,
  expectedFiles,
  fileState,
  isHubName,
  knownModels,
  modelFolder,
  modelsOnDisk,
} from './disk.ts'
import type { ManifestEntry, ModelDescription } from './manifest.ts'
import { ModelError } from './model.ts'
import { lesserFiles, parseModelId, precisionsOf } from './precision.ts'

export type ListedModel = ModelDescription &
  Partial<Pick<ManifestEntry, 'languages' | 'goodFor' | 'carried' | 'researchOnly' | 'licenceUrl' | 'published'>> & {
    /** Absolute. */
    readonly folder: string
    /** Of the files that it needs: in full precision if it is not on disk, roughly where a size is not known. */
    readonly bytes: number
    readonly onDisk: boolean
    /** The user's own. */
    readonly added: boolean
    /** Those that are on disk, and those that `pull` can fetch besides. */
    readonly precisions: { readonly onDisk: readonly Precision[]; readonly toPull: readonly LesserPrecision[] }
  }

/** What takes up room without being a model: an unfinished download, a folder that describes no model. */
export type Leftover = { readonly name: string; readonly folder: string; readonly bytes: number }

/** All models that have a name: those of the manifest, in its order, those that the user added, and those of the hub. */
export const listModels = async (): Promise<readonly ListedModel[]> => [
  ...(await Promise.all((await knownModels()).map(listKnown))),
  ...(await onDisk()).models,
]

export const listLeftovers = async (): Promise<readonly Leftover[]> => (await onDisk()).leftovers

const listKnown = async (entry: ManifestEntry): Promise<ListedModel> => {
  const folder = modelFolder(entry)
  const files = await expectedFiles(entry, folder, await choiceOnDisk(entry, folder))
  const states = await Promise.all(files.map((file) => fileState(folder, file)))
  const bytes = files.reduce((sum, file) => sum + (file.bytes ?? file.aboutBytes ?? 0), 0)
  const onDisk = states.every(({ right }) => right)
  return { ...entry, folder, bytes, onDisk, added: false, precisions: listPrecisions(entry, folder, onDisk) }
}

const listPrecisions = ({ image }: ModelDescription, folder: string, onDisk: boolean): ListedModel['precisions'] => {
  const here = onDisk ? precisionsOf({ image: { lesserFiles: lesserFiles(folder, image) } }) : []
  return { onDisk: here, toPull: lesserPrecisions.filter((each) => image.variants?.[each] && !here.includes(each)) }
}

const onDisk = async (): Promise<{ models: readonly ListedModel[]; leftovers: readonly Leftover[] }> => {
  const known = new Set((await knownModels()).map(({ name }) => name))
  const [models, leftovers]: [ListedModel[], Leftover[]] = [[], []]
  for (const { name, folder, isUnfinished } of await modelsOnDisk()) {
    if (!isUnfinished && known.has(name)) continue
    const model = isUnfinished ? undefined : await listDescribed(name, folder)
    if (model) models.push(model)
    else leftovers.push({ name, folder, bytes: await sizeOf(folder) })
  }
  return { models: models.sort((a, b) => Number(isHubName(a.name)) - Number(isHubName(b.name))), leftovers }
}

/** @returns `undefined` for a folder that no model.json describes */
const listDescribed = async (name: string, folder: string): Promise<ListedModel | undefined> => {
  try {
    if (!isHubName(name) && !addedFolder(name)) return undefined
    const described = await readDescription(join(folder, 'model.json'))
    const states = await Promise.all(filesOf(folder, described).map((path) => fileState(folder, { path })))
    const bytes = states.reduce((sum, state) => sum + (state.bytes ?? 0), 0)
    const onDisk = states.every(({ right }) => right)
    const precisions = listPrecisions(described, folder, onDisk)
    return { ...described, name, folder, bytes, onDisk, added: !isHubName(name), precisions }
  } catch (error) {
    // One that is described wrongly must not hide the others.
    if (error instanceof ModelError) return undefined
    throw error
  }
}

const sizeOf = async (folder: string): Promise<number> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The name under which the model with this id, in any precision, is found; `undefined` if this machine does not know it. */
export const modelName = async (modelId: string): Promise<string | undefined> => {
  const { id } = parseModelId(modelId)
  // The id of a model of the hub is its name, commit included.
  return isHubName(id) ? id : (await listModels()).find((model) => model.id === id)?.name
}
