import { existsSync } from 'node:fs'
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../errors.ts'
import { folders, type LesserPrecision } from '../settings.ts'
import type { Manifest, ManifestEntry, ModelFile, Pullable } from './manifest.ts'

/** The model that is used where neither the user nor the collection names one. */
export const defaultModelName = 'starter'

/** The package's own models folder: two levels up both from src/models and from dist/models. */
const carriedFolder = fileURLToPath(new URL('../../models/', import.meta.url))

let known: Promise<readonly ManifestEntry[]> | undefined

/**
 * The models of the manifest. It is part of the package and a test checks it against its schema: checking it again at
 * each start would cost a search 40 ms.
 */
export const knownModels = (): Promise<readonly ManifestEntry[]> => {
  known ??= readFile(join(carriedFolder, 'manifest.json'), 'utf8').then((json) => (JSON.parse(json) as Manifest).models)
  return known
}

/** Where a known model's files are, or will be once they are pulled. */
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

/** A branch, tag or commit of a repository; the one it was pinned to, or `main`, where none is named. */
export type HubName = { readonly repo: string; readonly revision: string | undefined }

/** @throws UsageError if the name is not `hf:ORG/NAME` or `hf:ORG/NAME@REVISION` */
export const parseHubName = (name: string): HubName => {
  const [, repo, revision] = /^hf:(\w[\w.-]*\/\w[\w.-]*)(?:@([\w./-]+))?$/.exec(name) ?? []
  if (repo) return { repo, revision }
  throw new UsageError(`Expected a repository like hf:ORG/NAME or hf:ORG/NAME@REVISION, got "${name}"`, {
    remedy: 'Look for one with ONNX files: https://huggingface.co/models?library=onnx&search=clip',
  })
}

/** The id and name of a repository's model. */
export const hubName = (repo: string, commit: string): string => `hf:${repo}@${commit}`

/** Not a name that an added model can have. The hub allows no two dashes in a row in a repository's name. */
export const hubFolderName = (repo: string, commit: string): string => `hf--${repo.replace('/', '--')}@${commit}`

const hubNameOf = (folderName: string): string | undefined => {
  const [, owner, repo, commit] = /^hf--(.+?)--(.+)@([0-9a-f]{40})$/.exec(folderName) ?? []
  return owner && repo && commit && hubName(`${owner}/${repo}`, commit)
}

/** Where exports keep their towers, the usual place first, and what describes them. */
export const hubLayout = {
  towers: [
    { image: 'onnx/vision_model.onnx', text: 'onnx/text_model.onnx' },
    { image: 'vision_model.onnx', text: 'text_model.onnx' },
  ],
  configs: ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'],
} as const

/** Beside a tower `model.onnx` exports keep the same with all multiplications in 8 bits, under one of these names. */
export const hubVariants = (image: string, has: (path: string) => boolean): { fast: string } | undefined => {
  const fast = ['_quantized', '_int8'].map((ending) => image.replace(/\.onnx$/, `${ending}.onnx`)).find(has)
  return fast === undefined ? undefined : { fast }
}

/** What lies in the folder of pulled models. */
export type OnDisk = {
  /** As the user types it: of a known or added model, of the hub's, or, of something unknown, of its folder. */
  readonly name: string
  readonly folder: string
  /** A download or copy that was broken off. */
  readonly isUnfinished: boolean
}

export const modelsOnDisk = async (): Promise<readonly OnDisk[]> => {
  const entries = await readdir(pulledFolder(), { withFileTypes: true }).catch(() => [])
  const names = entries.filter((entry) => entry.isDirectory() && !entry.name.endsWith('.lock')).map(({ name }) => name)
  return names.sort().map((name) => {
    const whole = name.replace(/\.partial$/, '')
    const isHub = hubNameOf(whole) !== undefined
    const folder = join(pulledFolder(), name)
    const isUnfinished = whole !== name || (isHub && !existsSync(join(folder, 'model.json')))
    return { name: hubNameOf(whole) ?? whole, folder, isUnfinished }
  })
}

/** Which file of each tower to use; `fp32` is the exact one. */
export type TowerChoice = {
  /** @default 'fp32' */
  readonly image?: 'fp32' | 'fp16' | LesserPrecision
  /** @default 'fp32' */
  readonly text?: 'fp32' | 'fp16' | 'int8'
}

/** Paths of the towers' files of this choice; a tower that does not come in it stays fp32. */
export const towerFiles = ({ image, text }: Pullable, choice: TowerChoice = {}): { image: string; text: string } => ({
  image: variant(image, choice.image),
  text: variant(text, choice.text),
})

type Variants = { readonly file: string; readonly variants?: Readonly<Record<string, string | undefined>> }

const variant = ({ file, variants }: Variants, name = 'fp32'): string => variants?.[name] ?? file

/** The files that a model needs for this choice, out of all that its entry lists. */
export const neededFiles = (entry: Pullable, choice: TowerChoice = {}): readonly ModelFile[] => {
  const { image, text } = towerFiles(entry, choice)
  const towers = [entry.image, entry.text].flatMap(({ file, variants = {} }: Variants) => [
    file,
    ...Object.values(variants),
  ])
  return entry.files.filter(({ path }) => path === image || path === text || !towers.includes(path))
}

/** Whose word a file's hash was checked against: the manifest's, the hub's own, or nobody's. */
export type HashSource = 'manifest' | 'hub' | 'none'

/** What was pulled or added, by path: sizes and hashes as found, also those that the manifest does not know. */
export type PullRecord = {
  readonly source: string
  readonly files: Readonly<Record<string, FileRecord>>
}

export type FileRecord = { readonly bytes: number; readonly sha256: string; readonly checkedBy?: HashSource }

const recordFile = 'pulled.json'

/** @returns `undefined` if the folder holds nothing that was pulled */
export const readRecord = async (folder: string): Promise<PullRecord | undefined> => {
  const json = await readFile(join(folder, recordFile), 'utf8').catch(() => undefined)
  return json === undefined ? undefined : JSON.parse(json)
}

export const writeRecord = (folder: string, record: PullRecord): Promise<void> =>
  writeJson(join(folder, recordFile), record)

/** Written beside and moved into place, so that a reader finds the old content or the new one. */
export const writeJson = async (file: string, content: unknown): Promise<void> => {
  const beside = `${file}.${process.pid}`
  await writeFile(beside, `${JSON.stringify(content, null, 2)}\n`)
  await rename(beside, file)
}

/** A needed file, with the size and hash that were pulled in place of those in the manifest. */
export type ExpectedFile = ModelFile & Partial<Pick<FileRecord, 'checkedBy'>>

export const expectedFiles = async (
  entry: Pullable,
  folder: string,
  choice: TowerChoice,
): Promise<readonly ExpectedFile[]> => {
  const record = entry.carried ? undefined : await readRecord(folder)
  return neededFiles(entry, choice).map((file) => ({ ...file, ...record?.files[file.path] }))
}

export type FileState = { readonly bytes: number | undefined; readonly right: boolean }

/** Judged by size alone; where none is known, being there and not empty is enough. */
export const fileState = async (folder: string, file: { path: string; bytes?: number | null }): Promise<FileState> => {
  const found = await stat(join(folder, file.path)).catch(() => undefined)
  if (!found?.isFile()) return { bytes: undefined, right: false }
  return { bytes: found.size, right: file.bytes == null ? found.size > 0 : found.size === file.bytes }
}

/** A graph and the weights that exporters put beside it, those that are there. */
export const graphFiles = (file: string): readonly string[] =>
  [file, `${file}_data`, `${file}.data`].filter((each) => existsSync(each))

/** Bytes of them all, 0 if there are none. */
export const graphBytes = async (file: string): Promise<number> => {
  const states = await Promise.all(graphFiles(file).map((each) => stat(each)))
  return states.reduce((sum, { size }) => sum + size, 0)
}

/**
 * What is on disk: the exact towers, but for a smaller text tower that was pulled in place of the exact
 * one. That is no other model, as everything stored comes from the image tower.
 */
export const choiceOnDisk = async (entry: ManifestEntry, folder: string): Promise<TowerChoice> => {
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
