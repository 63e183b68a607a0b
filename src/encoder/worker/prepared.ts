import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { graphBytes } from '../../models/disk.ts'
import type { ImageTower, TextTower } from '../../models/model.ts'
import { moduleFile, type Rows } from '../channel.ts'
import { leastPreparedBytes } from '../device.ts'
import { graphName, type Kept, keyOf, makeRoom, markUsed, publish, readEntry, ways, weightsName } from './kept.ts'
import type { Tower, TowerSettings } from './session.ts'

/*
 * A graph as it comes is optimised and its weights are copied and packed each time that a session opens it. A prepared
 * one is optimised already, and its weights lie in a file beside it that the runtime maps: all sessions and processes
 * share them, and opening takes a fraction of the time. What is prepared fits one kind of processor and one version of
 * the runtime. Whatever goes wrong costs time and memory, and nothing else.
 */

export type Preparation = {
  /** Where prepared graphs lie. */
  readonly folder: string
  /** Bytes from which on a graph is prepared. @default {@link leastPreparedBytes} */
  readonly leastBytes?: number
  /** Bytes that all of them may take; those used longest ago go first. @default 6 GB */
  readonly mostBytes?: number
  /** Called when a graph is about to be prepared, which takes seconds, and when it cannot be: what to tell the user. */
  readonly onNotice?: (notice: string) => void
  /** Called when a tower is about to be opened from its prepared graph. */
  readonly onPrepared?: () => void
  /** Runs what waits for another process, and may be given up at the end of this one. */
  readonly waiting?: <T>(work: () => Promise<T>) => Promise<T>
  /** Ends a preparation, and what waits for it. */
  readonly signal?: AbortSignal
}

export type OpenPrepared<Run> = {
  readonly tower: { readonly image: ImageTower } | { readonly text: TextTower }
  readonly settings: TowerSettings
  readonly open: Open<Run>
  readonly trial: (run: Run) => Promise<Rows>
  /** It opens with weights that are not packed, where these give the same. */
  readonly opensUnpacked?: boolean
}

export type Open<Run> = (file: string, settings: TowerSettings) => Promise<Tower<Run>>

const defaultMostBytes = 6e9

/** Opens a tower from its prepared graph, which is made first where there is none; from the graph itself if that fails. */
export const openPrepared = async <Run>(wanted: OpenPrepared<Run>, preparation: Preparation): Promise<Tower<Run>> => {
  const { settings, open } = wanted
  const { onNotice, onPrepared, signal } = preparation
  const file = fileOf(wanted)
  let failure: unknown
  try {
    const prepared = await prepareOnce(wanted, preparation)
    if (prepared) {
      onPrepared?.()
      return await openEntry(wanted, prepared)
    }
  } catch (error) {
    signal?.throwIfAborted()
    failure = error
  }
  // A damaged model fails here too, and then that is what has to be said.
  const opened = await open(file, settings)
  if (failure) onNotice?.(unprepared(file, failure))
  return opened
}

type Prepared = Kept & { readonly entry: string }

/** Prepares a tower's graph where that was not done. @returns `undefined` where it is to be opened as it is */
export const prepareOnce = async <Run>(
  wanted: OpenPrepared<Run>,
  preparation: Preparation,
): Promise<Prepared | undefined> => {
  const { folder, leastBytes = leastPreparedBytes } = preparation
  const file = fileOf(wanted)
  if ((await graphBytes(file)) < leastBytes) return undefined
  const entry = join(folder, await keyOf(file))
  const kept = (await readEntry(entry)) ?? (await prepare(wanted, entry, preparation))
  return kept && kept.way !== 'none' ? { ...kept, entry } : undefined
}

const fileOf = ({ tower }: Pick<OpenPrepared<unknown>, 'tower'>): string =>
  'image' in tower ? tower.image.file : tower.text.file

const openEntry = async <Run>(
  { open, settings, opensUnpacked }: OpenPrepared<Run>,
  { entry, isRightUnpacked }: Prepared,
): Promise<Tower<Run>> => {
  const isUnpacked = opensUnpacked && isRightUnpacked
  try {
    const opened = await open(join(entry, graphName), { ...settings, isOptimised: true, isUnpacked })
    await markUsed(entry)
    return { ...opened, isPrepared: true }
  } catch (error) {
    // The next one to open it makes it again.
    await rm(entry, { recursive: true, force: true })
    throw error
  }
}

const unprepared = (file: string, error: unknown): string => {
  const reason = error instanceof Error ? error.message : String(error)
  return `Could not prepare ${file}, so it takes more time and memory: ${reason}`
}

/** @returns how the weights are kept, `undefined` if there is no place for so large a graph */
const prepare = async <Run>(
  wanted: OpenPrepared<Run>,
  entry: string,
  preparation: Preparation,
): Promise<Kept | undefined> => {
  const { folder, mostBytes = defaultMostBytes, onNotice } = preparation
  const beside = `${entry}.${randomUUID()}`
  try {
    if (!(await makeRoom(fileOf(wanted), folder, mostBytes))) return undefined
    await mkdir(beside, { recursive: true })
    onNotice?.(`Preparing ${fileOf(wanted)} for this machine, once …`)
    await publish(beside, entry, await writeBest(wanted, beside, preparation))
    return await readEntry(entry)
  } finally {
    await rm(beside, { recursive: true, force: true }).catch(() => {})
  }
}

/** Writes the graph in the first way that gives what the graph itself gives: packed weights of some operators do not. */
const writeBest = async <Run>(wanted: OpenPrepared<Run>, folder: string, preparation: Preparation): Promise<Kept> => {
  const { tower, settings, open, trial, opensUnpacked } = wanted
  const { waiting = (work) => work(), signal } = preparation
  const graph = join(folder, graphName)
  for (const way of ways) {
    const write = { graph, weightsName, packed: way === 'packed' }
    const order = { tower, settings: { ...settings, write }, preparedFolder: preparation.folder }
    const expected = await waiting(() => optimiseApart(order, signal))
    const isRight = async (how: Partial<TowerSettings>): Promise<boolean> => {
      const opened = await open(graph, { ...settings, isOptimised: true, ...how })
      const { data } = await trial(opened.run)
      await opened.release()
      return cosine(expected, data) >= leastCosine
    }
    if (await isRight({})) {
      return { way, isRightUnpacked: opensUnpacked && (await isRight({ isUnpacked: true })) }
    }
    await rm(join(folder, weightsName), { force: true })
  }
  await rm(graph, { force: true })
  return { way: 'none' }
}

const leastCosine = 0.99999

/** Not a number, if either holds one. */
const cosine = (a: readonly number[], b: Float32Array): number => {
  let [dot, ofA, ofB] = [0, 0, 0]
  for (const [i, x] of a.entries()) {
    dot += x * b[i]!
    ofA += x * x
    ofB += b[i]! ** 2
  }
  return dot / Math.sqrt(ofA * ofB)
}

/** What a process of its own is to open, and to write. */
export type OptimiseOrder = Pick<OpenPrepared<unknown>, 'tower' | 'settings'> & { readonly preparedFolder: string }

/** What the graph gave in its trial, or why there is nothing. */
export type Optimised = { readonly data: readonly number[] } | { readonly failure: string }

/**
 * The runtime takes two to four times a graph's size to optimise it, and keeps much of that until its process ends: so
 * that is another one.
 */
const optimiseApart = (order: OptimiseOrder, signal: AbortSignal | undefined): Promise<readonly number[]> =>
  new Promise((resolve, reject) => {
    const { file, argv } = moduleFile('optimise')
    const child = fork(fileURLToPath(file), argv, { execArgv: [], stdio: 'ignore', signal })
    let answer: Optimised = { failure: '' }
    child.on('message', (message: Optimised) => {
      answer = message
    })
    child.on('error', reject)
    // Not before it has ended: until then it holds its memory.
    child.on('exit', (code, killed) => {
      if ('data' in answer) resolve(answer.data)
      else reject(new Error(answer.failure || `the process that prepares it ended (${killed ?? code})`))
    })
    child.send(order)
  })
