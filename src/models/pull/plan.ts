import { join } from 'node:path'
import { UsageError } from '../../errors.ts'
import { neededFiles, type Precision } from '../files.ts'
import type { Pullable } from '../manifest.ts'
import { modelFolder } from '../registry.ts'

const hub = 'https://huggingface.co'

export type PlanOptions = Precision & {
  /** Address that stands in for https://huggingface.co. Default: `HF_ENDPOINT`. */
  readonly mirror?: string
}

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
  const endpoint = (mirror || process.env.HF_ENDPOINT || hub).replace(/\/+$/, '')
  if (/^https?:\/\/[^/]/.test(endpoint)) return endpoint
  throw new UsageError(`Expected a mirror like ${hub}, got "${endpoint}"`, {
    remedy: 'Correct --mirror or HF_ENDPOINT',
  })
}

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
