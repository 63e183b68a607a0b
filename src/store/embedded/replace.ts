import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type CallOptions, CollectionMissingError } from '../store.ts'
import { pointsTable, videosTable } from './columns.ts'
import { storeErrorFrom } from './engine.ts'
import { collectionsIn, draftPrefix, type Facts, factsFile, readFacts, syncFolder, writeDurably } from './folder.ts'
import { lockAt } from './lock.ts'

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
    const lock = lockAt(join(folder, before, 'writer.lock'))
    await lock.hold(async () => {
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
const putFacts = async (folder: string, facts: Facts): Promise<void> => {
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
    await rename(join(folder, replaced!, lance), join(aside, lance)).catch(ignoreIfMissing)
  }
  await rm(aside, { recursive: true, force: true })
}

/** The folder of the name itself stays: it says where the tables are now. */
const removeOld = async (folder: string, facts: Facts): Promise<void> => {
  if (facts.replaced === facts.name) return removeTables(folder, facts)
  const aside = join(folder, `${draftPrefix}${randomUUID()}`)
  await rename(join(folder, facts.replaced!), aside).catch(ignoreIfMissing)
  await rm(aside, { recursive: true, force: true })
}

const ignoreIfMissing = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'ENOENT') throw error
}
