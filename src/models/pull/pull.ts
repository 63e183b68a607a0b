import { mkdir } from 'node:fs/promises'
import { lock } from 'proper-lockfile'
import { expectedFiles, fileState, pulledFolder } from '../disk.ts'
import type { Pullable } from '../manifest.ts'
import { ModelError } from '../model.ts'
import { connect, hubSha256 } from './download.ts'
import { pullFiles } from './fetch.ts'
import { hubUrl, type PlannedFile, type Pulled, type PullOptions, type PullPlan, planPull } from './plan.ts'

/**
 * Fetches the files of a model that are not on disk yet, several at once; goes on where an earlier run stopped, and moves
 * them into place when all of them are what they should be. No connection is made when nothing is missing.
 *
 * @returns with the paths that were fetched, none if all were there
 * @throws UsageError if the model is carried with the program
 * @throws ModelError if a file cannot be had, is not what it should be, or does not fit on the disk
 */
export const pullModel = async (entry: Pullable, options: PullOptions = {}): Promise<Pulled> => {
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
    if (!options.trust && !options.takeUnknown) await expectHashes(name, files, options)
    return { name, folder: plan.folder, files: files.length > 0 ? await pullFiles(entry, plan, files, options) : [] }
  } finally {
    await unlock()
  }
}

const expectLicence = ({ name, researchOnly, licence, licenceUrl }: Pullable, accepted: boolean | undefined): void => {
  if (!researchOnly || accepted) return
  throw new ModelError(
    'licence-not-accepted',
    `Expected consent to the licence of ${name}: ${licence} (${licenceUrl})`,
    {
      remedy: `If your use is research: vidgrep models pull ${name} --accept-licence`,
    },
  )
}

/** Before anything is fetched: a file that nobody vouches for would come for nothing. */
const expectHashes = async (
  name: string,
  files: readonly PlannedFile[],
  { mirror, signal }: PullOptions,
): Promise<void> => {
  const connection = connect(!mirror)
  try {
    const unknown = files.filter(({ sha256 }) => sha256 === null)
    const stated = await Promise.all(unknown.map(({ url }) => hubSha256(hubUrl(url, mirror), { connection, signal })))
    const paths = unknown.filter((_, i) => stated[i] === undefined).map(({ path }) => path)
    if (paths.length === 0) return
    throw new ModelError(
      'hash-unknown',
      `Expected a known SHA-256 for each file of ${name}, got none for ${paths.join(', ')}: the hub does not state it either`,
      { remedy: `Take what comes, and remember its hash: vidgrep models pull ${name} --trust` },
    )
  } finally {
    await connection.close()
  }
}

const missing = async (entry: Pullable, { folder, files }: PullPlan, options: PullOptions): Promise<PlannedFile[]> => {
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
