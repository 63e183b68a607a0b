import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readRecord, writeRecord } from '../disk.ts'
import type { Pullable } from '../manifest.ts'
import { ModelError } from '../model.ts'
import { connect, type Downloaded, discard, download } from './download.ts'
import { expectSpace, freeBytes, type PlannedFile, type PullOptions, type PullPlan } from './plan.ts'

/** Fetches files into a folder beside the model's own, checks them, and moves them into place when all are right. */
export const pullFiles = async (
  entry: Pullable,
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
      return await fetchRight(file, join(staging, file.path), to, options)
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
  { trust, takeUnknown }: PullOptions,
): Promise<Downloaded> => {
  for (;;) {
    const found = await download(file.url, path, to)
    if (found.sha256 === file.sha256 || (file.sha256 === null && takeUnknown)) return found
    if (trust && !found.resumed) return found
    await discard(path)
    if (found.resumed) continue
    throw new ModelError(
      'hash-mismatch',
      `Expected ${file.url} to have the SHA-256 ${file.sha256}, got ${found.sha256} (${found.bytes} bytes)`,
      { remedy: 'Pull again; if it stays so and you know why, take the file as it is with --trust' },
    )
  }
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
  { source }: Pullable,
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
