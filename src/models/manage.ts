import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { UsageError } from '../errors.ts'
import { readDescription } from './description.ts'
import {
  addedFolder,
  expectedFiles,
  fileState,
  knownModels,
  modelFolder,
  precisionOnDisk,
  pulledFolder,
} from './disk.ts'
import { findModel, loadModel } from './load.ts'
import { hashFile } from './pull/download.ts'

export type CheckedFile = {
  /** Absolute. */
  readonly path: string
  /** `null` if nobody knows what it should be. */
  readonly expected: string | null
  /** `undefined` if the file is missing. */
  readonly found: string | undefined
  readonly right: boolean
}

/** Hashes each file of a model that is on disk (about a second a gigabyte) and says whether it is what it should be. */
export const verifyModel = async (
  name: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<readonly CheckedFile[]> => {
  const { folder, files } = await describedFiles(name)
  const checked: CheckedFile[] = []
  for (const { path, sha256 } of files) {
    const file = join(folder, path)
    const there = await isThere(folder, path)
    const found = there ? (await hashFile(file, signal)).digest('hex') : undefined
    checked.push({ path: file, expected: sha256, found, right: there && (sha256 === null || sha256 === found) })
  }
  return checked
}

const describedFiles = async (name: string) => {
  const added = addedFolder(name)
  if (added) {
    const { image, text } = await readDescription(join(added, 'model.json'))
    const [imageFile, textFile] = [image, text].map(({ file, sha256 }) => ({ path: file, sha256: sha256 ?? null }))
    return { folder: added, files: [imageFile!, textFile!, { path: text.tokenizer, sha256: null }] }
  }
  const entry = await findModel(name)
  const folder = modelFolder(entry)
  const needed = await expectedFiles(entry, folder, await precisionOnDisk(entry, folder))
  const variants = [{ image: 'fp16' }, { text: 'fp16' }, { text: 'int8' }] as const
  const others = (await Promise.all(variants.map((precision) => expectedFiles(entry, folder, precision)))).flat()
  const files = new Map(needed.map((file) => [file.path, file]))
  for (const file of others) {
    if (!files.has(file.path) && (await isThere(folder, file.path))) files.set(file.path, file)
  }
  return { folder, files: [...files.values()] }
}

const isThere = async (folder: string, path: string): Promise<boolean> =>
  (await fileState(folder, { path })).bytes !== undefined

/** @returns the folder where a model is or would be */
export const modelPath = async (name: string): Promise<string> =>
  addedFolder(name) ?? modelFolder(await findModel(name))

/**
 * Removes a pulled or added model from the disk, with what a broken-off pull left.
 *
 * @returns whether there was anything
 * @throws UsageError if the model is carried with the program
 */
export const removeModel = async (name: string): Promise<boolean> => {
  const folder = addedFolder(name) ?? (await removableFolder(name))
  const there = await Promise.all(
    [folder, `${folder}.partial`].map((path) => rm(path, { recursive: true }).then(() => true, absent)),
  )
  return there.includes(true)
}

const absent = (error: NodeJS.ErrnoException): false => {
  if (error.code === 'ENOENT') return false
  throw error
}

const removableFolder = async (name: string): Promise<string> => {
  const entry = await findModel(name)
  if (!entry.carried) return modelFolder(entry)
  throw new UsageError(`Expected a model that was pulled or added, got ${name}, which is part of the program`, {
    remedy: 'See which ones can be removed: vidgrep models list',
  })
}

/**
 * Copies a model of the user's own, a folder with a model.json, to where it is found by its name.
 *
 * @returns the name
 * @throws UsageError if a model of this name is there already
 * @throws ModelError if model.json is wrong or names files that are not there
 */
export const addModel = async (folder: string): Promise<string> => {
  const { name, image, text } = await loadModel(resolve(folder))
  if (addedFolder(name) || (await knownModels()).some((known) => known.name === name)) {
    throw new UsageError(`Expected a model with a name of its own, got "${name}"`, {
      remedy: `Change "name" in ${join(folder, 'model.json')}, or remove the other one: vidgrep models remove ${name}`,
    })
  }
  const target = join(pulledFolder(), name)
  const staging = `${target}.partial`
  await rm(staging, { recursive: true, force: true })
  await mkdir(staging, { recursive: true })
  for (const file of [image.file, text.file, text.tokenizer, join(resolve(folder), 'model.json')]) {
    await cp(file, join(staging, file.slice(resolve(folder).length)))
  }
  await rename(staging, target)
  return name
}
