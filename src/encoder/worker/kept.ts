import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { env } from 'onnxruntime-node'
import { graphBytes, graphFiles } from '../../models/disk.ts'

/*
 * The folder of prepared graphs. Each lies in a folder of its own, an entry, named by a hash of all that it depends on. It
 * is written beside its place and renamed when it is whole, as several processes may prepare the same one at once.
 */

export const graphName = 'graph.onnx'
export const weightsName = 'weights.bin'
const noteName = 'note.json'

/** How weights are kept, the best first: packed once and for all, which doubles the file, or as they are. */
export const ways = ['packed', 'plain'] as const

export type Way = (typeof ways)[number]

/** `none`: no way gives the graph's own results. 8-bit weights do not give the same unpacked. */
export type Kept = { readonly way: Way | 'none'; readonly isRightUnpacked?: boolean }

/** What is written last: how the weights are kept, and the files that must be there with their bytes. */
type Note = Kept & { readonly files: Readonly<Record<string, number>> }

/** @returns `undefined` if it is not there or not whole */
export const readEntry = async (entry: string): Promise<Kept | undefined> => {
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
export const markUsed = async (entry: string): Promise<void> => {
  const now = new Date()
  await utimes(entry, now, now).catch(() => {})
}

/** Finishes the folder `beside` and moves it into place. Another process may have been faster: then its own stays. */
export const publish = async (beside: string, entry: string, kept: Kept): Promise<void> => {
  await writeNote(beside, kept)
  try {
    await rename(beside, entry)
  } catch {
    if ((await readEntry(entry)) !== undefined) return
    await rm(entry, { recursive: true, force: true })
    await rename(beside, entry)
  }
}

/** After a loss of power, too, a note must not stand beside weights that never reached the disk. */
const writeNote = async (folder: string, kept: Kept): Promise<void> => {
  const files: Record<string, number> = {}
  for (const name of await readdir(folder)) {
    const handle = await open(join(folder, name), 'r+')
    await handle.sync()
    files[name] = (await handle.stat()).size
    await handle.close()
  }
  await writeFile(join(folder, noteName), JSON.stringify({ ...kept, files } satisfies Note), { flush: true })
}

/** What was begun longer ago was broken off. */
const abandonedMs = 60 * 60 * 1000

/**
 * Makes room for a graph: removes what was used longest ago and what was broken off.
 *
 * @param mostBytes that all entries may take
 * @returns whether the graph may be prepared at all
 * @throws if the disk has no room for it
 */
export const makeRoom = async (file: string, folder: string, mostBytes: number): Promise<boolean> => {
  // Packed weights lie beside the others.
  const needed = 2 * (await graphBytes(file))
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

/** Changes when what is written changes. */
const version = 2

/** The name of a graph's entry: a hash of all that what is prepared depends on. */
export const keyOf = async (file: string): Promise<string> => {
  const machine = [process.platform, process.arch, await processor(), env.versions.node]
  return hashOf([version, ...machine, ...(await Promise.all(graphFiles(file).map(contentOf)))])
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
