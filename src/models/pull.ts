import { mkdir, rename, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { lock } from 'proper-lockfile'
import { connect } from './connection.ts'
import { type Downloaded, discard, download } from './download.ts'
import { ModelError } from './errors.ts'
import { fileState } from './files.ts'
import { expectedFiles, findModel } from './load.ts'
import type { ManifestEntry } from './manifest.ts'
import { type PlannedFile, type PlanOptions, type PullPlan, planPull } from './plan.ts'
import { readRecord, writeRecord } from './record.ts'
import { pulledFolder } from './registry.ts'

export type PullProgress = {
  /** Of all files together, those of an earlier, broken-off run included. */
  readonly receivedBytes: number
  /** `undefined` until the size of every file is known. */
  readonly totalBytes: number | undefined
}

export type PullOptions = PlanOptions & {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: PullProgress) => void) | undefined
  /** Take files whose hash nobody has published, or is another one, and remember the hash that they have. */
  readonly trust?: boolean | undefined
  /** Needed for a model whose licence allows research only. */
  readonly acceptLicence?: boolean | undefined
  /** Bytes that may be written in a folder. Default: what the file system says. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined
}

export type Pulled = { readonly name: string; readonly folder: string; readonly files: readonly string[] }

/**
 * Fetches the files of a model that are not on disk yet, several at once; goes on where an earlier run stopped, and moves
 * them into place when all of them are what they should be. No connection is made when nothing is missing.
 *
 * @returns with the paths that were fetched, none if all were there
 * @throws UsageError if there is no such model to pull
 * @throws ModelError if a file cannot be had, is not what it should be, or does not fit on the disk
 */
export const pullModel = async (name: string, options: PullOptions = {}): Promise<Pulled> =>
  pullEntry(await findModel(name), options)

/** {@link pullModel} for an entry of any manifest. */
export const pullEntry = async (entry: ManifestEntry, options: PullOptions = {}): Promise<Pulled> => {
  const { name } = entry
  const plan = planPull(entry, options)
  expectLicence(entry, options.acceptLicence)
  options.signal?.throwIfAborted()
  if ((await missing(entry, plan, options)).length === 0) return { name, folder: plan.folder, files: [] }
  await mkdir(pulledFolder(), { recursive: true })
  const unlock = await waitForLock(plan.folder, options.signal)
  try {
    // Another process may have pulled it while this one waited.
    const files = await missing(entry, plan, options)
    expectHashes(name, files, options.trust)
    if (files.length > 0) await pullFiles(entry, plan, files, options)
    return { name, folder: plan.folder, files: files.map(({ path }) => path) }
  } finally {
    await unlock()
  }
}

const expectLicence = (
  { name, researchOnly, licence, licenceUrl }: ManifestEntry,
  accepted: boolean | undefined,
): void => {
  if (!researchOnly || accepted) return
  throw new ModelError(
    'licence-not-accepted',
    `Expected consent to the licence of ${name}: ${licence} (${licenceUrl})`,
    {
      remedy: `If your use is research: vidgrep models pull ${name} --accept-licence`,
    },
  )
}

const expectHashes = (name: string, files: readonly PlannedFile[], trust: boolean | undefined): void => {
  const unknown = files.filter(({ sha256 }) => sha256 === null).map(({ path }) => path)
  if (unknown.length === 0 || trust) return
  throw new ModelError(
    'hash-unknown',
    `Expected a known SHA-256 for each file of ${name}, got none for ${unknown.join(', ')}`,
    {
      remedy: `Take what the hub sends, and remember its hash: vidgrep models pull ${name} --trust`,
    },
  )
}

const missing = async (
  entry: ManifestEntry,
  { folder, files }: PullPlan,
  options: PullOptions,
): Promise<PlannedFile[]> => {
  const expected = new Map((await expectedFiles(entry, folder, options)).map((file) => [file.path, file]))
  const states = await Promise.all(files.map(({ path }) => fileState(folder, expected.get(path)!)))
  return files.filter((_, i) => !states[i]!.right)
}

/** The lock is renewed as long as its owner lives; one that was not for this long, in milliseconds, is void. */
const staleLock = 15_000

const waitForLock = async (folder: string, signal: AbortSignal | undefined): Promise<() => Promise<void>> => {
  for (;;) {
    signal?.throwIfAborted()
    try {
      // A machine that slept may lose the lock and pull on: two that write the same file are found out by its hash.
      return await lock(folder, { realpath: false, stale: staleLock, onCompromised: () => {} })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

const pullFiles = async (
  entry: ManifestEntry,
  plan: PullPlan,
  files: readonly PlannedFile[],
  options: PullOptions,
): Promise<void> => {
  const staging = `${plan.folder}.partial`
  await mkdir(staging, { recursive: true })
  await expectSpace(staging, files, options.freeBytes ?? freeBytes)
  const connection = connect(!options.mirror)
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])])
  const report = reporter(files, options.onProgress)
  const fetchOne = async (file: PlannedFile): Promise<Downloaded> => {
    try {
      const to = { connection, signal, ...report(file) }
      return await fetchRight(file, join(staging, file.path), to, options.trust)
    } catch (error) {
      stop.abort(error)
      throw error
    }
  }
  try {
    const results = await Promise.allSettled(files.map(fetchOne))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw options.signal?.aborted ? options.signal.reason : stop.signal.reason
    const found = results.map((result) => (result as PromiseFulfilledResult<Downloaded>).value)
    await moveIntoPlace(entry, plan, files, found, staging)
  } catch (error) {
    if (error instanceof ModelError && error.code === 'hash-mismatch')
      await rm(staging, { recursive: true, force: true })
    throw error
  } finally {
    await connection.close()
  }
}

/** A file that was put together from two runs gets a second chance as a whole: it may have changed in between. */
const fetchRight = async (
  file: PlannedFile,
  path: string,
  to: Parameters<typeof download>[2],
  trust: boolean | undefined,
): Promise<Downloaded> => {
  for (;;) {
    const found = await download(file.url, path, to)
    if (found.sha256 === file.sha256 || (trust && !found.resumed)) return found
    await discard(path)
    if (found.resumed) continue
    throw new ModelError(
      'hash-mismatch',
      `Expected ${file.url} to have the SHA-256 ${file.sha256}, got ${found.sha256} (${found.bytes} bytes)`,
      { remedy: 'Pull again; if it stays so and you know why, take the file as it is with --trust' },
    )
  }
}

const expectSpace = async (
  staging: string,
  files: readonly PlannedFile[],
  free: (folder: string) => Promise<number>,
): Promise<void> => {
  const states = await Promise.all(files.map((file) => fileState(staging, { path: file.path })))
  const needed = files.reduce(
    (sum, file, i) => sum + Math.max(0, (file.bytes ?? file.aboutBytes ?? 0) - (states[i]!.bytes ?? 0)),
    0,
  )
  const available = await free(staging)
  if (needed <= available) return
  throw new ModelError('disk-full', `Expected ${needed} free bytes for the model in ${staging}, got ${available}`, {
    remedy: 'Make room there, or choose another place: VIDGREP_HOME=/other/folder',
  })
}

const freeBytes = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

type Report = (file: PlannedFile) => { onBytes: (received: number) => void; onSize: (bytes: number) => void }

const reporter = (files: readonly PlannedFile[], onProgress: PullOptions['onProgress']): Report => {
  const received = new Map(files.map(({ path }) => [path, 0]))
  const sizes = new Map(files.map(({ path, bytes }) => [path, bytes]))
  const sum = (numbers: Iterable<number | null>) =>
    [...numbers].reduce<number>((total, bytes) => total + (bytes ?? 0), 0)
  return ({ path }) => ({
    onSize: (bytes) => sizes.set(path, bytes),
    onBytes: (bytes) => {
      received.set(path, bytes)
      const known = ![...sizes.values()].includes(null)
      onProgress?.({ receivedBytes: sum(received.values()), totalBytes: known ? sum(sizes.values()) : undefined })
    },
  })
}

/** The record comes last: a file whose size the manifest does not know counts as there only when it is in it. */
const moveIntoPlace = async (
  { source }: ManifestEntry,
  { folder }: PullPlan,
  files: readonly PlannedFile[],
  found: readonly Downloaded[],
  staging: string,
): Promise<void> => {
  for (const { path, target } of files) {
    await mkdir(dirname(target), { recursive: true })
    await rename(join(staging, path), target)
  }
  const pulled = files.map(({ path }, i) => [path, { bytes: found[i]!.bytes, sha256: found[i]!.sha256 }])
  const before = await readRecord(folder)
  await writeRecord(folder, {
    source: `${source!.repo}@${source!.revision}`,
    files: { ...before?.files, ...Object.fromEntries(pulled) },
  })
  await rm(staging, { recursive: true, force: true })
}
