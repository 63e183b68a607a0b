import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Collection, StoreError, schemaVersion } from '../store.ts'

/*
 * FOLDER/
 *   COLLECTION/
 *     collection.json     what the collection is; changed only when another collection takes its name, see replace.ts
 *     points.lance/       one row a point
 *     videos.lance/       one row a video record
 *     writer.lock         there while a process writes
 *   .new-…/               a collection in the making
 *
 * A collection is built aside and renamed into its place: it is there as a whole or not at all.
 */

export const factsFile = 'collection.json'
export const draftPrefix = '.new-'
/** A draft this old was left by a process that died. */
const draftLifeMs = 3_600_000

export type Facts = Collection & {
  /** Another collection of the folder, in whose place the tables lie. */
  readonly contents?: string
  /** The collection whose tables were in force before and may not be removed yet. */
  readonly replaced?: string
}

/** As written: what is known of a collection, and when that was. ISO 8601. */
type WrittenFacts = Facts & { readonly createdAt: string }

/** What a collection is, `undefined` if there is none of that name. */
export const readFacts = async (folder: string, name: string): Promise<Facts | undefined> => {
  const file = join(folder, name, factsFile)
  const text = await readFile(file, 'utf8').catch(undefinedIfMissing)
  if (text === undefined) return undefined
  const facts = parseJson(text)
  if (!areFacts(facts)) {
    throw new StoreError('store-damaged', `Expected the facts of a collection in ${file}, got something else`, {
      remedy: `Move ${join(folder, name)} away and index again`,
    })
  }
  const { createdAt: _, ...known } = facts
  return known
}

/** By hand: loading zod would cost a search 40 ms. */
const areFacts = (facts: unknown): facts is WrittenFacts => {
  if (typeof facts !== 'object' || facts === null) return false
  const { name, model, createdAt, dimension, schemaVersion, contents, replaced } = facts as Record<string, unknown>
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0
  const isTextOrMissing = (value: unknown) => value === undefined || typeof value === 'string'
  return (
    [name, model, createdAt].every((value) => typeof value === 'string') &&
    [dimension, schemaVersion].every(isCount) &&
    [contents, replaced].every(isTextOrMissing)
  )
}

/** Names of the collections in a folder, sorted; none if there is no such folder. */
export const collectionsIn = async (folder: string): Promise<string[]> => {
  const names = []
  for (const entry of await entriesIn(folder)) {
    if (entry.isDirectory() && !entry.name.startsWith('.') && (await isCollection(join(folder, entry.name)))) {
      names.push(entry.name)
    }
  }
  return names.sort()
}

/**
 * Creates a collection, unless another process was faster.
 * @param fill makes the tables in the folder it is given
 */
export const createCollection = async (
  folder: string,
  { name, model, dimension }: { readonly name: string; readonly model: string; readonly dimension: number },
  fill: (draft: string) => Promise<void>,
): Promise<void> => {
  await refuseForeign(folder, name)
  const draft = join(folder, `${draftPrefix}${randomUUID()}`)
  await mkdir(draft, { recursive: true })
  try {
    await fill(draft)
    const facts: WrittenFacts = {
      name,
      model,
      dimension,
      schemaVersion,
      createdAt: new Date().toISOString(),
    }
    await writeDurably(join(draft, factsFile), `${JSON.stringify(facts, undefined, 2)}\n`)
    await rename(draft, join(folder, name)).catch(ignoreIfTaken)
    await syncFolder(folder)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  await removeOldDrafts(folder)
}

/** A folder of videos or of source code is no place for a store: what was there would be mixed with what is ours. */
const refuseForeign = async (folder: string, name: string): Promise<void> => {
  const visible = (await entriesIn(folder)).map((entry) => entry.name).filter((entry) => !entry.startsWith('.'))
  const taken = visible.includes(name) && !(await isCollection(join(folder, name)))
  const foreign = visible.length > 0 && (await collectionsIn(folder)).length === 0
  if (!taken && !foreign) return
  const what = taken ? join(folder, name) : folder
  throw new StoreError('store-foreign', `Expected ${what} to be empty or a store of vidgrep, got other files`, {
    remedy: 'Name a new or an empty folder: --store FOLDER',
  })
}

const isCollection = async (path: string): Promise<boolean> =>
  (await stat(join(path, factsFile)).catch(undefinedIfMissing)) !== undefined

const entriesIn = async (folder: string) =>
  (await readdir(folder, { withFileTypes: true }).catch(undefinedIfMissing)) ?? []

const removeOldDrafts = async (folder: string): Promise<void> => {
  for (const { name } of await entriesIn(folder)) {
    if (!name.startsWith(draftPrefix)) continue
    const found = await stat(join(folder, name)).catch(undefinedIfMissing)
    if (found && Date.now() - found.mtimeMs > draftLifeMs)
      await rm(join(folder, name), { recursive: true, force: true })
  }
}

export const writeDurably = async (file: string, text: string): Promise<void> => {
  const handle = await open(file, 'wx')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a rename outlast a power cut; Windows has no such call and needs none. */
export const syncFolder = async (folder: string): Promise<void> => {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const undefinedIfMissing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== 'ENOENT') throw error
  return undefined
}

/** Another process put its collection there first; which code that gives differs between systems. */
const ignoreIfTaken = (error: NodeJS.ErrnoException): void => {
  if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code ?? '')) throw error
}
