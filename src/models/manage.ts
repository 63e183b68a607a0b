import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../errors.ts'
import { lesserPrecisions } from '../settings.ts'
import { filesOf, readDescription } from './description.ts'
import {
  addedFolder,
  choiceOnDisk,
  type ExpectedFile,
  expectedFiles,
  fileState,
  type HashSource,
  hubFolderName,
  isHubName,
  modelFolder,
  modelsOnDisk,
  parseHubName,
  pulledFolder,
  readRecord,
} from './disk.ts'
import { findModel } from './load.ts'
import { hashFile } from './pull/download.ts'

export type CheckedFile = {
  /** Absolute. */
  readonly path: string
  /** `null` if nobody knows what it should be. */
  readonly expected: string | null
  /** `undefined` if the file is missing. */
  readonly found: string | undefined
  readonly right: boolean
  /** Whose word `expected` is; `none`: what came when the file was pulled or added. */
  readonly source: HashSource
}

/** Hashes each file of a model that is on disk (about a second a gigabyte) and says whether it is what it should be. */
export const verifyModel = async (
  name: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<readonly CheckedFile[]> => {
  const checked: CheckedFile[] = []
  for (const { folder, path, sha256, checkedBy } of await describedFiles(name)) {
    const file = join(folder, path)
    const there = await isThere(folder, path)
    const found = there ? (await hashFile(file, signal)).digest('hex') : undefined
    const right = there && (sha256 === null || sha256 === found)
    checked.push({ path: file, expected: sha256, found, right, source: checkedBy })
  }
  return checked
}

type DescribedFile = {
  readonly folder: string
  readonly path: string
  readonly sha256: string | null
  readonly checkedBy: HashSource
}

const describedFiles = async (name: string): Promise<readonly DescribedFile[]> => {
  if (isHubName(name)) return (await Promise.all((await hubFolders(name)).map(filesOfFolder))).flat()
  const added = addedFolder(name)
  return added ? filesOfFolder(added) : filesOfKnown(name)
}

/** Of a model with a model.json: hashes are its own, or those that were written down when it came here. */
const filesOfFolder = async (folder: string): Promise<readonly DescribedFile[]> => {
  const described = await readDescription(join(folder, 'model.json'))
  const record = (await readRecord(folder))?.files ?? {}
  const { image, text } = described
  const own = new Map([image, text].map(({ file, sha256 }) => [file, sha256]))
  const paths = new Set([...filesOf(folder, described), ...Object.keys(record)])
  return [...paths].map((path) => {
    const sha256 = own.get(path) ?? record[path]?.sha256 ?? null
    return { folder, path, sha256, checkedBy: own.get(path) ? 'manifest' : (record[path]?.checkedBy ?? 'none') }
  })
}

const filesOfKnown = async (name: string): Promise<readonly DescribedFile[]> => {
  const entry = await findModel(name)
  const folder = modelFolder(entry)
  const needed = await expectedFiles(entry, folder, await choiceOnDisk(entry, folder))
  const images = (['fp16', ...lesserPrecisions] as const).map((image) => ({ image }))
  const variants = [...images, { text: 'fp16' }, { text: 'int8' }] as const
  const others = (await Promise.all(variants.map((precision) => expectedFiles(entry, folder, precision)))).flat()
  const files = new Map(needed.map((file) => [file.path, file]))
  const own = Object.entries((await readRecord(folder))?.files ?? {}).map(([path, file]) => ({ path, ...file }))
  for (const file of [...others, ...own]) {
    if (!files.has(file.path) && (await isThere(folder, file.path))) files.set(file.path, file)
  }
  return [...files.values()].map((file: ExpectedFile) => ({ ...file, folder, checkedBy: file.checkedBy ?? 'manifest' }))
}

const isThere = async (folder: string, path: string): Promise<boolean> =>
  (await fileState(folder, { path })).bytes !== undefined

/** Folders of the hub's models of this name, finished ones: of all revisions on disk if the name has none. */
const hubFolders = async (name: string): Promise<readonly string[]> => {
  const found = (await onDiskOf(name)).filter(({ isUnfinished }) => !isUnfinished)
  if (found.length > 0) return found.map(({ folder }) => folder)
  throw new UsageError(`Expected a model of the hub that is on disk, got "${name}"`, {
    remedy: `It is fetched when it is first used: vidgrep index FOLDER --model ${name}`,
  })
}

const onDiskOf = async (name: string) => {
  const { repo, revision } = parseHubName(name)
  return (await modelsOnDisk()).filter(
    (each) => each.name === name || (revision === undefined && each.name.startsWith(`hf:${repo}@`)),
  )
}

/**
 * @returns the folder where a model is or would be
 * @throws UsageError if there is no such model; one of the hub has no place before its commit is known
 */
export const modelPath = async (name: string): Promise<string> => {
  if (!isHubName(name)) return addedFolder(name) ?? modelFolder(await findModel(name))
  const { repo, revision } = parseHubName(name)
  if (/^[0-9a-f]{40}$/.test(revision ?? '')) return join(pulledFolder(), hubFolderName(repo, revision!))
  return (await hubFolders(name)).at(-1)!
}

/**
 * Removes a pulled or added model from the disk, or one of the hub (all its revisions if the name has none), with what
 * a broken-off download left; also a folder among the models that is nobody's.
 *
 * @returns whether there was anything
 * @throws UsageError if the model is carried with the program, or there is no such model
 */
export const removeModel = async (name: string): Promise<boolean> => {
  const found = isHubName(name) ? await onDiskOf(name) : (await modelsOnDisk()).filter((each) => each.name === name)
  if (found.length === 0 && !isHubName(name) && (await findModel(name)).carried) {
    throw new UsageError(`Expected a model that was pulled or added, got ${name}, which is part of the program`, {
      remedy: 'See which ones can be removed: vidgrep models list',
    })
  }
  for (const { folder } of found) await rm(folder, { recursive: true })
  return found.length > 0
}
