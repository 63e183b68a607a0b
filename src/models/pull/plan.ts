import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../../errors.ts'
import { type FileRecord, fileState, modelFolder, neededFiles, type TowerChoice } from '../disk.ts'
import type { Pullable } from '../manifest.ts'
import { ModelError } from '../model.ts'

const huggingFace = 'https://huggingface.co'

export type PlanOptions = TowerChoice & {
  /** Address that stands in for https://huggingface.co. Default: `HF_ENDPOINT`. */
  readonly mirror?: string
}

export type PullProgress = {
  /** Of all files together, those of an earlier, broken-off run included. */
  readonly receivedBytes: number
  /** `undefined` until the size of every file is known. */
  readonly totalBytes: number | undefined
}

export type PullOptions = PlanOptions & {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: PullProgress) => void
  /** Take files that neither the manifest nor the hub vouches for, and remember the hash that they have. */
  readonly trust?: boolean
  /** Take files whose hash nobody has published, but none that is another one. */
  readonly takeUnknown?: boolean
  /** Needed for a model whose licence allows research only. */
  readonly acceptLicence?: boolean
  /** Bytes that may be written in a folder. Default: what the file system says. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

/** A file that was fetched, and whose word its hash was checked against. */
export type PulledFile = { readonly path: string } & Required<FileRecord>

export type Pulled = { readonly name: string; readonly folder: string; readonly files: readonly PulledFile[] }

export type PlannedFile = {
  readonly path: string
  readonly url: string
  /** Absolute. */
  readonly target: string
  /** `null` where the manifest does not know it. */
  readonly bytes: number | null
  /** Roughly, where `bytes` is `null`. */
  readonly aboutBytes?: number
  readonly sha256: string | null
}

export type PullPlan = { readonly name: string; readonly folder: string; readonly files: readonly PlannedFile[] }

/** @throws UsageError if the mirror is no http address */
export const hubEndpoint = (mirror?: string): string => {
  const endpoint = (mirror || process.env.HF_ENDPOINT || huggingFace).replace(/\/+$/, '')
  if (/^https?:\/\/[^/]/.test(endpoint)) return endpoint
  throw new UsageError(`Expected a mirror like ${huggingFace}, got "${endpoint}"`, {
    remedy: 'Correct --mirror or HF_ENDPOINT',
  })
}

/** The same file on the hub itself: a mirror does not vouch for what it sends. */
export const hubUrl = (url: string, mirror: string | undefined): string =>
  hubEndpoint() + url.slice(hubEndpoint(mirror).length)

/**
 * What pulling a model would fetch and where it would put it; touches neither network nor disk.
 *
 * @throws UsageError if the model is carried with the program, or the mirror is no http address
 */
export const planPull = (entry: Pullable, options: PlanOptions = {}): PullPlan => {
  const { name, source } = entry
  if (!source)
    throw new UsageError(`Expected a model to pull, got ${name}`, { remedy: `${name} is here already: use it` })
  const endpoint = hubEndpoint(options.mirror)
  const folder = modelFolder(entry)
  const files = neededFiles(entry, options).map(({ from, ...file }) => {
    const { repo, revision, path } = from ?? { ...source, path: file.path }
    return { ...file, url: `${endpoint}/${repo}/resolve/${revision}/${path}`, target: join(folder, file.path) }
  })
  return { name, folder, files }
}

/**
 * Makes sure that what is still missing fits on the disk.
 *
 * @param free bytes that may be written in a folder
 * @throws ModelError of code `disk-full`
 */
export const expectSpace = async (
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

/** What the file system says. */
export const freeBytes = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
