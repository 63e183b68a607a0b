import { join } from 'node:path'
import { readDescription } from './description.ts'
import {
  addedFolder,
  addedNames,
  expectedFiles,
  fileState,
  isHubName,
  knownModels,
  modelFolder,
  precisionOnDisk,
} from './disk.ts'
import type { ManifestEntry, ModelDescription } from './manifest.ts'

export type ListedModel = ModelDescription &
  Partial<Pick<ManifestEntry, 'languages' | 'goodFor' | 'carried' | 'researchOnly' | 'licenceUrl' | 'published'>> & {
    /** Absolute. */
    readonly folder: string
    /** Of the files that it needs in full precision, roughly where a size is not known. */
    readonly bytes: number
    readonly onDisk: boolean
    /** The user's own. */
    readonly added: boolean
  }

/** All models that have a name: those of the manifest, in its order, and those that the user added. */
export const listModels = async (): Promise<readonly ListedModel[]> => [
  ...(await Promise.all((await knownModels()).map(listKnown))),
  ...(await Promise.all((await addedNames()).map(listAdded))),
]

const listKnown = async (entry: ManifestEntry): Promise<ListedModel> => {
  const folder = modelFolder(entry)
  const files = await expectedFiles(entry, folder, await precisionOnDisk(entry, folder))
  const states = await Promise.all(files.map((file) => fileState(folder, file)))
  const bytes = files.reduce((sum, file) => sum + (file.bytes ?? file.aboutBytes ?? 0), 0)
  return { ...entry, folder, bytes, onDisk: states.every(({ right }) => right), added: false }
}

const listAdded = async (name: string): Promise<ListedModel> => {
  const folder = addedFolder(name)!
  const described = await readDescription(join(folder, 'model.json'))
  const { image, text } = described
  const states = await Promise.all([image.file, text.file, text.tokenizer].map((path) => fileState(folder, { path })))
  const bytes = states.reduce((sum, state) => sum + (state.bytes ?? 0), 0)
  return { ...described, folder, bytes, onDisk: states.every(({ right }) => right), added: true }
}

/** The name under which the model with this id is found, `undefined` if this machine does not know it. */
export const modelName = async (id: string): Promise<string | undefined> =>
  // The id of a model of the hub is its name, commit included.
  isHubName(id) ? id : (await listModels()).find((model) => model.id === id)?.name
