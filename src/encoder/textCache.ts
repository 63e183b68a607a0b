import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Model } from '../models/model.ts'
import { folders } from '../settings.ts'
import type { DeviceChoice } from './device.ts'

/*
 * A query that was asked before need not wait for the text tower: its embedding is kept in memory, and in a file of its
 * own in the cache folder. A file's name is a hash of the text and of all that its embedding depends on, so that another
 * model, precision or device has other files; the text itself is not kept. Each file ends with a hash of its content and
 * is moved into its place as a whole: one that is torn or damaged reads as if it were not there. Several processes may
 * share the folder. Whatever cannot be kept costs time and nothing else.
 */

export type TextEmbedding = {
  /** Unit vector, [dimension]. */
  readonly vector: Float32Array
  /** The text was longer than the model's context. */
  readonly truncated: boolean
}

export type TextCache = {
  get(text: string): Promise<TextEmbedding | undefined>
  put(text: string, embedding: TextEmbedding): Promise<void>
}

export type TextCacheOptions = {
  /** What the text tower was asked to run on. @default 'auto' */
  readonly device?: DeviceChoice
  /** Where files lie. Default: `queries` in the cache folder. */
  readonly folder?: string
  /** Embeddings kept in memory at most: 1.5 MB at 384 numbers each. @default 1000 */
  readonly mostInMemory?: number
  /** Files kept at most, those used longest ago go first: 8 MB on most disks. @default 2000 */
  readonly mostFiles?: number
}

/** Remembers embeddings of texts by one model. Nothing is read or written before the first call. */
export const openTextCache = (model: Model, options: TextCacheOptions = {}): TextCache => {
  const { device = 'auto', folder = join(folders().cache, 'queries'), mostInMemory = 1000, mostFiles = 2000 } = options
  const memory = new Map<string, TextEmbedding>()
  let tower: Promise<string | undefined> | undefined

  const remember = (text: string, embedding: TextEmbedding): void => {
    // A map keeps the order in which keys came: the first one was used longest ago.
    memory.delete(text)
    memory.set(text, embedding)
    if (memory.size > mostInMemory) memory.delete(memory.keys().next().value!)
  }
  const fileOf = async (text: string): Promise<string | undefined> => {
    tower ??= identityOf(model, device)
    const identity = await tower
    return identity && join(folder, createHash('sha256').update(`${identity}\0${text}`).digest('hex'))
  }

  return {
    get: async (text) => {
      const file = memory.has(text) ? undefined : await fileOf(text)
      const known = memory.get(text) ?? (file && (await readEmbedding(file, model.dimension)))
      if (known) remember(text, known)
      return known || undefined
    },
    put: async (text, embedding) => {
      remember(text, embedding)
      const file = await fileOf(text)
      if (file) await keep(folder, file, bytesOf(embedding, file), mostFiles).catch(() => {})
    },
  }
}

/**
 * What an embedding depends on besides the text. The files' sizes and times of change stand for their contents, for the
 * model that somebody is still working on.
 */
const identityOf = async ({ id, dimension, text }: Model, device: DeviceChoice): Promise<string | undefined> => {
  try {
    const files = await Promise.all([text.file, text.tokenizer].map((file) => stat(file)))
    const contents = files.map(({ size, mtimeMs }) => `${size} ${mtimeMs}`)
    return JSON.stringify([id, dimension, basename(text.file), ...contents, text.maxTokens, text.padding, device])
  } catch {
    // What is missing is said by whoever needs it.
    return undefined
  }
}

const digestBytes = 32

/** [vector, 1 if the text was truncated, a hash of these bytes and of the file's name] */
const bytesOf = ({ vector, truncated }: TextEmbedding, file: string): Buffer => {
  const numbers = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)
  const content = Buffer.concat([numbers, Buffer.of(truncated ? 1 : 0)])
  return Buffer.concat([content, digestOf(content, file)])
}

const digestOf = (content: Buffer, file: string): Buffer =>
  createHash('sha256').update(basename(file)).update(content).digest()

const readEmbedding = async (file: string, dimension: number): Promise<TextEmbedding | undefined> => {
  const bytes = await readFile(file).catch(() => undefined)
  const vectorBytes = dimension * Float32Array.BYTES_PER_ELEMENT
  if (bytes?.length !== vectorBytes + 1 + digestBytes) return undefined
  const content = bytes.subarray(0, vectorBytes + 1)
  if (!digestOf(content, file).equals(bytes.subarray(vectorBytes + 1))) return undefined
  // The time of the last use decides which files go.
  const now = new Date()
  await utimes(file, now, now).catch(() => {})
  return {
    vector: new Float32Array(new Uint8Array(content).buffer, 0, dimension),
    truncated: content[vectorBytes] === 1,
  }
}

const keep = async (folder: string, file: string, bytes: Buffer, mostFiles: number): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const beside = `${file}.${randomUUID()}`
  try {
    await writeFile(beside, bytes)
    await rename(beside, file)
  } finally {
    await rm(beside, { force: true })
  }
  const names = await readdir(folder)
  if (names.length > mostFiles) await removeOldest(folder, names, mostFiles)
}

/** Makes room for a while: a tenth more than is needed goes. */
const removeOldest = async (folder: string, names: readonly string[], mostFiles: number): Promise<void> => {
  const files = await Promise.all(
    names.map(async (name) => {
      const file = join(folder, name)
      return { file, usedMs: (await stat(file).catch(() => undefined))?.mtimeMs ?? 0 }
    }),
  )
  const old = files.sort((a, b) => a.usedMs - b.usedMs).slice(0, names.length - Math.floor(mostFiles * 0.9))
  await Promise.all(old.map(({ file }) => rm(file, { force: true })))
}
