import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readRecord, writeRecord } from '../disk.ts'
import type { Pullable } from '../manifest.ts'
import { ModelError } from '../model.ts'
import { connect, type DownloadOptions, discard, download, hubSha256 } from './download.ts'
import {
  expectSpace,
  freeBytes,
  hubUrl,
  type PlannedFile,
  type PulledFile,
  type PullOptions,
  type PullPlan,
} from './plan.ts'

/**
 * Fetches files into a folder beside the model's own, checks them, and moves them into place when all are right. What has
 * come stays for the next run, unless it is wrong.
 */
export const pullFiles = async (
  entry: Pullable,
  plan: PullPlan,
  files: readonly PlannedFile[],
  options: PullOptions,
): Promise<readonly PulledFile[]> => {
  const staging = `${plan.folder}.partial`
  await mkdir(staging, { recursive: true })
  await expectSpace(staging, files, options.freeBytes ?? freeBytes)
  const connection = connect(!options.mirror)
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])])
  const report = reporter(files, options.onProgress)
  const fetchOne = async (file: PlannedFile): Promise<PulledFile> => {
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
    options.signal?.throwIfAborted()
    stop.signal.throwIfAborted()
    const pulled = results.map((result) => (result as PromiseFulfilledResult<PulledFile>).value)
    await moveIntoPlace(entry, plan, pulled, staging)
    return pulled
  } finally {
    await connection.close()
  }
}

/**
 * The manifest's hash is second-hand: where a file has another one, or the manifest has none, the hub's own decides, and
 * where that is not known, the user. A file that was put together from two runs gets a second chance as a whole.
 */
const fetchRight = async (
  file: PlannedFile,
  path: string,
  to: DownloadOptions,
  { mirror, trust, takeUnknown }: PullOptions,
): Promise<PulledFile> => {
  let stated: string | undefined
  for (;;) {
    const { bytes, sha256, resumed } = await download(file.url, path, to)
    const pulled = { path: file.path, bytes, sha256 }
    // The list of a repository of the hub is the hub's own.
    if (sha256 === file.sha256) return { ...pulled, checkedBy: takeUnknown ? 'hub' : 'manifest' }
    if (file.sha256 === null && takeUnknown) return { ...pulled, checkedBy: 'none' }
    stated ??= await hubSha256(hubUrl(file.url, mirror), to)
    if (sha256 === stated) return { ...pulled, checkedBy: 'hub' }
    if (trust && (stated === undefined || !resumed)) return { ...pulled, checkedBy: 'none' }
    // What only the manifest speaks against stays: the user may know better, and take it without fetching it again.
    if (resumed || stated !== undefined) await discard(path)
    if (resumed) continue
    const hub = stated === undefined ? 'the hub states none' : `the hub states ${stated}`
    throw new ModelError(
      'hash-mismatch',
      `Expected ${file.url} to have the SHA-256 ${file.sha256 ?? stated}, got ${sha256} (${bytes} bytes); ${hub}`,
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
  pulled: readonly PulledFile[],
  staging: string,
): Promise<void> => {
  for (const { path } of pulled) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await rename(join(staging, path), join(folder, path))
  }
  const before = await readRecord(folder)
  const files = Object.fromEntries(pulled.map(({ path, ...record }) => [path, record]))
  await writeRecord(folder, {
    source: `${source!.repo}@${source!.revision}`,
    files: { ...before?.files, ...files },
  })
  await rm(staging, { recursive: true, force: true })
}
