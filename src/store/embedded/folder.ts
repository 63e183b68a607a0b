import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type CallOptions, type Collection, CollectionMissingError, StoreError, schemaVersion } from '../store.ts'
import { storeErrorFrom } from './engine.ts'
import { pointsTable, videosTable } from './points.ts'
import { writerIn } from './writer.ts'

/*
 * FOLDER/
 *   COLLECTION/
 *     collection.json     what the collection is; changed only when another collection takes its name, see below
 *     points.lance/       one row a point
 *     videos.lance/       one row a video record
 *     writer.lock         there while a process writes
 *   .new-…/               a collection in the making
 *
 * A collection is built aside and renamed into its place: it is there as a whole or not at all.
 */

const factsFile = 'collection.json'
const draftPrefix = '.new-'
/** A draft this old was left by a process that died. */
const draftLifeMs = 3_600_000

export type Facts = Collection & {
  /** Another collection of the folder, in whose place the tables lie. */
  readonly contents?: string
  /** The collection whose tables were used before and may not be removed yet. */
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
  await makeFolder(draft)
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

/** With the folders above it. Node's `recursive` says ENOENT of a read-only disk, and never ends in /proc. */
const makeFolder = async (folder: string): Promise<void> => {
  try {
    await mkdir(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    await mkdir(folder).catch((again) => {
      if (again.code !== 'EEXIST') throw again
    })
  }
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

type Replace = CallOptions & { readonly name: string; readonly by: string }

/** {@link replaceCollection} in a folder: one file says where the tables lie, and is replaced as a whole. */
export const replaceEmbeddedCollection = async (location: string, options: Replace): Promise<void> => {
  const folder = resolve(location)
  try {
    await replace(folder, options)
  } catch (error) {
    throw storeErrorFrom(error, folder)
  }
}

const replace = async (folder: string, { name, by, signal }: Replace): Promise<void> => {
  const known = await factsOf(folder, name)
  const next = await factsOf(folder, by)
  const contents = next.contents ?? by
  const before = known.contents ?? name
  const changed: Facts = { ...next, name, contents, replaced: before === contents ? known.replaced : before }
  if (before !== contents) {
    // A write that is on its way ends first; the ones that wait behind it find their tables gone.
    await writerIn(join(folder, before))(async () => {
      await putFacts(folder, changed)
      await removeTables(folder, changed)
    }, signal)
  } else if (changed.replaced === undefined) {
    return
  }
  await removeOld(folder, changed)
  await putFacts(folder, { ...changed, replaced: undefined })
}

const factsOf = async (folder: string, name: string): Promise<Facts> => {
  const facts = await readFacts(folder, name)
  if (facts) return facts
  throw new CollectionMissingError(name, folder, await collectionsIn(folder))
}

/** Renaming over a file is atomic: a reader finds the old facts or the new ones. */
export const putFacts = async (folder: string, facts: Facts): Promise<void> => {
  const file = join(folder, facts.name, factsFile)
  const beside = `${file}.${randomUUID()}`
  await writeDurably(beside, `${JSON.stringify({ ...facts, createdAt: new Date().toISOString() }, undefined, 2)}\n`)
  await rename(beside, file)
  await syncFolder(join(folder, facts.name))
}

/** Aside first, so that nobody meets half a table; what a crash leaves there goes with the next collection made. */
const removeTables = async (folder: string, { replaced }: Facts): Promise<void> => {
  const aside = join(folder, `${draftPrefix}${randomUUID()}`)
  await mkdir(aside)
  for (const table of [pointsTable, videosTable]) {
    const lance = `${table}.lance`
    await rename(join(folder, replaced!, lance), join(aside, lance)).catch(undefinedIfMissing)
  }
  await rm(aside, { recursive: true, force: true })
}

/** The folder of the name itself stays: it says where the tables are now. */
const removeOld = async (folder: string, facts: Facts): Promise<void> => {
  if (facts.replaced === facts.name) return removeTables(folder, facts)
  const aside = join(folder, `${draftPrefix}${randomUUID()}`)
  await rename(join(folder, facts.replaced!), aside).catch(undefinedIfMissing)
  await rm(aside, { recursive: true, force: true })
}

const writeDurably = async (file: string, text: string): Promise<void> => {
  const handle = await open(file, 'wx')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a rename outlast a power cut; Windows has no such call and needs none. */
const syncFolder = async (folder: string): Promise<void> => {
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
