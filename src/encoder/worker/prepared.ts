import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { env } from 'onnxruntime-node'
import type { Rows } from '../channel.ts'
import { leastPreparedBytes } from '../device.ts'
import type { Tower, TowerSettings } from './session.ts'

/*
 * A graph as it comes is optimised and its weights are copied and packed each time that a session opens it. A prepared
 * one is optimised already, and its weights lie in a file beside it that the runtime maps: all sessions and processes
 * share them, and opening takes a fraction of the time. What is prepared fits one kind of processor and one version of
 * the runtime. It lies in a folder of its own, named by a hash of all that it depends on, is written beside that and
 * renamed when it is whole; several processes may prepare at once. Whatever goes wrong costs time and memory, and nothing else.
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
}

export type OpenPrepared<Run> = {
  readonly file: string
  readonly settings: TowerSettings
  readonly open: (file: string, settings: TowerSettings) => Promise<Tower<Run>>
  readonly trial: (run: Run) => Promise<Rows>
  /** It opens with weights that are not packed, where these give the same. */
  readonly opensUnpacked?: boolean
}

/**
 * How weights are kept, the best first: packed once and for all, which doubles the file, or as they are.
 */
const ways = ['packed', 'plain'] as const

type Way = (typeof ways)[number]

/** Changes when what is written changes. */
const version = 2

/** Opens a tower from its prepared graph, which is made first where there is none; from the graph itself if that fails. */
export const openPrepared = async <Run>(wanted: OpenPrepared<Run>, preparation: Preparation): Promise<Tower<Run>> => {
  const { file, settings, open } = wanted
  const { folder, leastBytes = leastPreparedBytes, onNotice } = preparation
  let failure: unknown
  if ((await weigh(file)) < leastBytes) return open(file, settings)
  try {
    const entry = join(folder, await keyOf(file))
    const kept = (await readEntry(entry)) ?? (await prepare(wanted, entry, preparation))
    if (kept && kept.way !== 'none') return await openEntry(wanted, entry, kept)
  } catch (error) {
    failure = error
  }
  // A damaged model fails here too, and then that is what has to be said.
  const opened = await open(file, settings)
  if (failure) onNotice?.(unprepared(file, failure))
  return opened
}

const openEntry = async <Run>(wanted: OpenPrepared<Run>, entry: string, kept: Kept): Promise<Tower<Run>> => {
  const { open, settings, opensUnpacked } = wanted
  const isUnpacked = opensUnpacked && kept.isRightUnpacked
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

const graphName = 'graph.onnx'
const weightsName = 'weights.bin'
const noteName = 'note.json'

/** What is written last: how the weights are kept (`none`: no way gives the graph's own results), whether they give the same unpacked (8-bit ones do not), and what else must be there. */
type Note = Kept & { readonly files: Readonly<Record<string, number>> }

type Kept = { readonly way: Way | 'none'; readonly isRightUnpacked?: boolean }

/** @returns `undefined` if it is not there or not whole */
const readEntry = async (entry: string): Promise<Kept | undefined> => {
  try {
    const { files, ...kept }: Note = JSON.parse(await readFile(join(entry, noteName), 'utf8'))
    for (const [name, bytes] of Object.entries(files)) {
      if ((await stat(join(entry, name))).size !== bytes) return undefined
    }
    return kept
  } catch {
    return undefined
  }
}

/** The time of the last use decides which go. */
const markUsed = async (entry: string): Promise<void> => {
  const now = new Date()
  await utimes(entry, now, now).catch(() => {})
}

/** @returns how the weights are kept, `undefined` if there is no place for so large a graph */
const prepare = async <Run>(
  wanted: OpenPrepared<Run>,
  entry: string,
  preparation: Preparation,
): Promise<Kept | undefined> => {
  const beside = `${entry}.${randomUUID()}`
  try {
    if (!(await makeRoom(wanted.file, preparation))) return undefined
    await mkdir(beside, { recursive: true })
    preparation.onNotice?.(`Preparing ${wanted.file} for this machine, once …`)
    await keepNote(beside, await writeBest(wanted, beside))
    await publish(beside, entry)
    return await readEntry(entry)
  } finally {
    await rm(beside, { recursive: true, force: true }).catch(() => {})
  }
}

/** Another process may have been faster: then its own stays. */
const publish = async (beside: string, entry: string): Promise<void> => {
  try {
    await rename(beside, entry)
  } catch {
    if ((await readEntry(entry)) !== undefined) return
    await rm(entry, { recursive: true, force: true })
    await rename(beside, entry)
  }
}

/** Writes the graph in the first way that gives what the graph itself gives: packed weights of some operators do not. */
const writeBest = async <Run>(wanted: OpenPrepared<Run>, folder: string): Promise<Kept> => {
  const { file, settings, open, trial, opensUnpacked } = wanted
  const graph = join(folder, graphName)
  const tried = async (from: string, how: TowerSettings): Promise<Float32Array> => {
    const tower = await open(from, how)
    const { data } = await trial(tower.run)
    await tower.release()
    return data
  }
  for (const way of ways) {
    const expected = await tried(file, { ...settings, write: { graph, weightsName, packed: way === 'packed' } })
    const isRight = async (how: Partial<TowerSettings>) =>
      cosine(expected, await tried(graph, { ...settings, isOptimised: true, ...how })) >= leastCosine
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
const cosine = (a: Float32Array, b: Float32Array): number => {
  let [dot, ofA, ofB] = [0, 0, 0]
  for (const [i, x] of a.entries()) {
    dot += x * b[i]!
    ofA += x * x
    ofB += b[i]! ** 2
  }
  return dot / Math.sqrt(ofA * ofB)
}

/** After a loss of power, too, a note must not stand beside weights that never reached the disk. */
const keepNote = async (folder: string, kept: Kept): Promise<void> => {
  const files: Record<string, number> = {}
  for (const name of await readdir(folder)) {
    const handle = await open(join(folder, name), 'r+')
    await handle.sync()
    files[name] = (await handle.stat()).size
    await handle.close()
  }
  await writeFile(join(folder, noteName), JSON.stringify({ ...kept, files } satisfies Note), { flush: true })
}

const defaultMostBytes = 6e9

/** What was begun longer ago was broken off. */
const abandonedMs = 60 * 60 * 1000

/**
 * Removes what was used longest ago and what was broken off.
 *
 * @returns whether the graph may be prepared at all
 * @throws if the disk has no room for it
 */
const makeRoom = async (file: string, { folder, mostBytes = defaultMostBytes }: Preparation): Promise<boolean> => {
  // Packed weights lie beside the others.
  const needed = 2 * (await weigh(file))
  if (needed > mostBytes) return false
  await mkdir(folder, { recursive: true })
  const entries = await Promise.all((await readdir(folder)).map((name) => measure(join(folder, name))))
  const kept: typeof entries = []
  for (const entry of entries) {
    if (entry.path.includes('.') && Date.now() - entry.usedMs > abandonedMs)
      await rm(entry.path, { recursive: true, force: true })
    else kept.push(entry)
  }
  kept.sort((a, b) => a.usedMs - b.usedMs)
  let total = kept.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { path, bytes } of kept) {
    if (total + needed <= mostBytes) break
    await rm(path, { recursive: true, force: true })
    total -= bytes
  }
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize < needed) throw new Error(`expected ${megabytes(needed)} free, got ${megabytes(bavail * bsize)}`)
  return true
}

const measure = async (path: string) => ({
  path,
  usedMs: await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  ),
  bytes: await sizeOf([path, ...(await readdir(path).catch(() => [])).map((name) => join(path, name))]),
})

/** With weights that lie beside the graph as it comes. */
const weigh = (file: string): Promise<number> => sizeOf([file, `${file}_data`, `${file}.data`])

const sizeOf = async (files: readonly string[]): Promise<number> => {
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`

/** All that a prepared graph depends on. */
const keyOf = async (file: string): Promise<string> => {
  const machine = [process.platform, process.arch, await processor(), env.versions.node]
  const parts = [version, ...machine, await contentOf(file)]
  return hashOf(parts)
}

export const hashOf = (parts: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)

/** The runtime chooses its operators by what a processor can do, and packs weights for them. */
const processor = async (): Promise<string> => {
  const lines = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return /^(?:flags|Features)\s*:.*$/m.exec(lines)?.[0] ?? cpus()[0]?.model ?? 'unknown'
}

const samples = 16
const sampleBytes = 65_536

/** Hashing a whole graph takes longer than a search: size, time of change and samples stand for the content. */
export const contentOf = async (file: string): Promise<readonly unknown[]> => {
  const handle = await open(file)
  try {
    const { size, mtimeMs } = await handle.stat()
    const hash = createHash('sha256')
    const sample = Buffer.alloc(sampleBytes)
    for (let i = 0; i < samples; i++) {
      const at = Math.floor((Math.max(0, size - sampleBytes) * i) / (samples - 1))
      const { bytesRead } = await handle.read(sample, 0, sampleBytes, at)
      hash.update(sample.subarray(0, bytesRead))
    }
    return [size, mtimeMs, hash.digest('hex')]
  } finally {
    await handle.close()
  }
}
