import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { neededFiles, type Precision } from './files.ts'
import type { Pullable } from './manifest.ts'

/** What was pulled, by path: sizes and hashes as found, also those that the manifest does not know. */
export type PullRecord = {
  readonly source: string
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>
}

const recordFile = 'pulled.json'

/** `undefined` if the folder holds nothing that was pulled. */
export const readRecord = async (folder: string): Promise<PullRecord | undefined> => {
  const json = await readFile(join(folder, recordFile), 'utf8').catch(() => undefined)
  return json === undefined ? undefined : JSON.parse(json)
}

/** Written beside and moved into place, so that a reader finds the old one or the new one. */
export const writeRecord = async (folder: string, record: PullRecord): Promise<void> => {
  const beside = join(folder, `${recordFile}.${process.pid}`)
  await writeFile(beside, `${JSON.stringify(record, null, 2)}\n`)
  await rename(beside, join(folder, recordFile))
}

/** Sizes and hashes as they were pulled stand in for those that the manifest does not know, or that the user trusted. */
export const expectedFiles = async (entry: Pullable, folder: string, precision: Precision) => {
  const record = entry.carried ? undefined : await readRecord(folder)
  return neededFiles(entry, precision).map((file) => ({ ...file, ...record?.files[file.path] }))
}
