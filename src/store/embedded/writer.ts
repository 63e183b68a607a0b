import { rm, stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError } from '../store.ts'
import { isConflict } from './engine.ts'

/*
 * One process at a time writes to a collection. The engine would let several write at once, but then two that insert
 * the same new id while a third compacts leave it there twice, and two that change a record lose one of the changes. A
 * write takes some ten milliseconds, encoding what is written takes seconds: waiting for the turn costs nothing.
 */

/** How often the process that has the lock says that it is alive. */
const renewMs = 1_000
/** Unchanged for so long under a waiting process's eyes, the lock belongs to a process that is gone or was stopped. */
const abandonedMs = 5_000
/** Staleness is judged here, see {@link takeAway}. */
const never = 2 ** 40
const longestPauseMs = 40

/** With the lock held there is nobody to lose against, unless a process was stopped so long that its lock was taken. */
const mostAttempts = 8
const firstPauseMs = 20

/**
 * Runs one write at a time, among all processes, and waits as long as another one lives that writes. The same write made
 * twice has to leave what it leaves made once.
 */
export type Writer = <T>(write: () => Promise<T>, signal?: AbortSignal) => Promise<T>

/** @param folder the collection's own, which has to be there */
export const writerIn = (folder: string): Writer => {
  let last: Promise<unknown> = Promise.resolve()
  return (write, signal) => {
    const turn = last.then(async () => {
      const release = await acquire(folder, signal)
      try {
        return await withRetries(write)
      } finally {
        await release()
      }
    })
    last = turn.catch(() => {})
    return turn
  }
}

const acquire = async (folder: string, signal: AbortSignal | undefined): Promise<() => Promise<void>> => {
  let seen = { changedMs: 0, sinceMs: performance.now() }
  for (;;) {
    signal?.throwIfAborted()
    const release = await tryLock(folder, `${folder}/writer.lock`, never)
    if (release) return release
    const changedMs = await lastChangeMs(`${folder}/writer.lock`)
    if (changedMs !== seen.changedMs) seen = { changedMs, sinceMs: performance.now() }
    else if (performance.now() - seen.sinceMs > abandonedMs) await takeAway(folder, changedMs)
    await pause(longestPauseMs * Math.random(), undefined, { signal }).catch(() => signal?.throwIfAborted())
  }
}

/**
 * Removes an abandoned lock, under a lock for that: of several that find it abandoned, a slow one would else remove the
 * lock that a faster one has taken since.
 */
const takeAway = async (folder: string, changedMs: number): Promise<void> => {
  const release = await tryLock(folder, `${folder}/takeover.lock`, 2 * abandonedMs)
  if (!release) return
  try {
    if ((await lastChangeMs(`${folder}/writer.lock`)) === changedMs) {
      await rm(`${folder}/writer.lock`, { recursive: true, force: true })
    }
  } finally {
    await release()
  }
}

const lastChangeMs = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.mtimeMs ?? 0

/** @returns what gives the lock back, `undefined` if somebody has it */
const tryLock = async (
  folder: string,
  lockfilePath: string,
  stale: number,
): Promise<(() => Promise<void>) | undefined> => {
  const { lock } = await import('proper-lockfile')
  try {
    // A process that was stopped may find its lock taken: a write that then meets another one is made again.
    const options = { lockfilePath, stale, update: renewMs, realpath: false, onCompromised: () => {} }
    const release = await lock(lockfilePath, options)
    return () => release().catch(ignoreIfTaken)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ELOCKED') return undefined
    if (code !== 'ENOENT') throw error
    throw new StoreError('store-gone', `The collection in ${folder} was removed while it was in use`, {
      remedy: 'Index again: vidgrep index FOLDER',
      cause: error,
    })
  }
}

const ignoreIfTaken = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'ERELEASED' && error.code !== 'ENOTACQUIRED') throw error
}

const withRetries = async <T>(write: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (!isConflict(error) || attempt === mostAttempts) throw error
      await pause(firstPauseMs * 2 ** attempt * (0.5 + Math.random()))
    }
  }
}
