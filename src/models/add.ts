import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from '../errors.ts'
import type { LesserPrecision } from '../settings.ts'
import { describeFolder, filesOf, loadFolder, weightsOf } from './description.ts'
import {
  addedFolder,
  type FileRecord,
  fileState,
  isHubName,
  knownModels,
  pulledFolder,
  readRecord,
  writeRecord,
} from './disk.ts'
import { findModel, loadModel } from './load.ts'
import { modelPath } from './manage.ts'
import { type Model, ModelError } from './model.ts'
import { dimensionOf, readOnnx } from './onnx.ts'
import { addedGraph } from './precision.ts'
import { hashFile } from './pull/download.ts'

/**
 * Copies a model of the user's own, a folder with a model.json or in the hub's layout, to where it is found by its name.
 * The copies are hashed, so that `verify` finds a change later.
 *
 * @returns the name
 * @throws UsageError if a model of this name is there already
 * @throws ModelError if model.json is wrong, names files that are missing, or hashes that they do not have
 */
export const addModel = async (folder: string): Promise<string> => {
  const source = resolve(folder)
  await loadFolder(source)
  const description = await describeFolder(source)
  const { name, image, text } = description
  if (addedFolder(name) || (await knownModels()).some((known) => known.name === name)) {
    throw new UsageError(`Expected a model with a name of its own, got "${name}"`, {
      remedy: `Change "name" in ${join(folder, 'model.json')}, or remove the other one: vidgrep models remove ${name}`,
    })
  }
  const target = join(pulledFolder(), name)
  const staging = `${target}.partial`
  await rm(staging, { recursive: true, force: true })
  await mkdir(staging, { recursive: true })
  const files: Record<string, FileRecord> = {}
  for (const path of filesOf(source, description)) {
    await mkdir(dirname(join(staging, path)), { recursive: true })
    await cp(join(source, path), join(staging, path))
    const sha256 = (await hashFile(join(staging, path))).digest('hex')
    const stated = [image, text].find(({ file }) => file === path)?.sha256
    if (stated !== undefined && stated !== sha256) {
      await rm(staging, { recursive: true })
      throw new ModelError('hash-mismatch', `Expected ${path} to have the SHA-256 ${stated}, got ${sha256}`, {
        remedy: `Bring the right file, or correct ${join(folder, 'model.json')}`,
      })
    }
    files[path] = {
      bytes: (await fileState(staging, { path })).bytes!,
      sha256,
      checkedBy: stated ? 'manifest' : 'none',
    }
  }
  await writeFile(join(staging, 'model.json'), `${JSON.stringify(description, null, 2)}\n`)
  await writeRecord(staging, { source, files })
  await rename(staging, target)
  return name
}

/**
 * Adds a graph of the image tower in a lesser precision, with the weights beside it, to a pulled or added model. One that
 * was there before goes.
 *
 * @param file an ONNX file
 * @param trial runs the model with this file; what it rejects with is thrown on
 * @throws UsageError if the model is carried with the program
 * @throws ModelError if the model is not on disk, or the graph is not one of its image tower
 */
export const addPrecision = async (
  file: string,
  name: string,
  precision: LesserPrecision,
  trial: (model: Model) => Promise<void>,
): Promise<void> => {
  const model = await loadModel(name)
  const { dimension, image } = model
  const folder = await modelPath(name)
  if (!isHubName(name) && !addedFolder(name) && (await findModel(name)).carried) {
    throw new UsageError(`Expected a model that was pulled or added, got ${name}, which is part of the program`, {
      remedy: `Add it under another name first: copy ${folder}, change "name" in its model.json, vidgrep models add COPY`,
    })
  }
  const source = dirname(resolve(file))
  const graph = basename(file)
  const found = dimensionOf(readGraph(file))
  if (found !== undefined && found !== dimension) {
    throw new ModelError('model-invalid', `Expected ${file} to give ${dimension} numbers, got ${found}`, {
      remedy: `Make it from the model's own image tower: ${image.file}`,
    })
  }
  await trial({ ...model, image: { ...image, file: resolve(file), halfFile: undefined } })
  const staging = join(folder, `${precision}.partial`)
  await rm(staging, { recursive: true, force: true })
  const record = (await readRecord(folder)) ?? { source, files: {} }
  const kept = Object.entries(record.files).filter(([path]) => !path.startsWith(`${precision}/`))
  const files = new Map<string, FileRecord>(kept)
  for (const path of [graph, ...weightsOf(source, graph)]) {
    const target = path === graph ? basename(addedGraph(precision)) : path
    await mkdir(dirname(join(staging, target)), { recursive: true })
    await cp(join(source, path), join(staging, target))
    const sha256 = (await hashFile(join(staging, target))).digest('hex')
    const { bytes } = await fileState(staging, { path: target })
    files.set(`${precision}/${target}`, { bytes: bytes!, sha256, checkedBy: 'none' })
  }
  await rm(join(folder, precision), { recursive: true, force: true })
  await rename(staging, join(folder, precision))
  await writeRecord(folder, { ...record, files: Object.fromEntries(files) })
}

const readGraph = (file: string) => {
  try {
    return readOnnx(file)
  } catch (cause) {
    throw new UsageError(`Expected an ONNX file, got: ${(cause as Error).message}`, {
      remedy: 'Give the file of the image tower in that precision',
      cause,
    })
  }
}
