import { randomUUID } from 'node:crypto'
import { open, readFile, rename, rm, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError } from '../store.ts'

/*
 * One process at a time writes to a collection. The engine would let several write at once, but then two that insert
 * the same new id while a third compacts leave it there twice. A write takes some ten milliseconds, encoding what is
 * written takes seconds: waiting for the turn costs nothing.
 *
 * The lock is a file made with "fail if it exists". Whoever holds it touches it now and then, so that a waiting process
 * can tell a slow holder from a dead one without comparing clocks: it sees the file change, or not.
 */

const touchMs = 2_000
/** So long unchanged under a waiting process's eyes, the lock belongs to a process that is gone or was stopped. */
const abandonedMs = 20_000
const shortestPauseMs = 3
const longestPauseMs = 40
/** How long a holder that saw others waiting stays back, so that they get their turn. */
const courtesyMs = 60

export type Lock = {
  /** Runs one write at a time, among all processes. Waits as long as the holder lives. */
  hold<T>(write: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export const lockAt = (file: string): Lock => {
  let last: Promise<unknown> = Promise.resolve()
  let stayBackUntil = 0

  const exclusively = async <T>(write: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const back = stayBackUntil - performance.now()
    if (back > 0) await pauseUnlessAborted(back, signal)
    const owner = await acquire(file, signal)
    const touch = setInterval(() => utimes(file, new Date(), new Date()).catch(() => {}), touchMs)
    touch.unref()
    try {
      return await write()
    } finally {
      clearInterval(touch)
      if (await release(file, owner)) stayBackUntil = performance.now() + courtesyMs
    }
  }

  return {
    hold: (write, signal) => {
      const turn = last.then(() => {
        signal?.throwIfAborted()
        return exclusively(write, signal)
      })
      last = turn.catch(() => {})
      return turn
    },
  }
}

/** Beside the lock while somebody waits for it. */
const waitingFile = (file: string): string => `${file}.waiting`

const acquire = async (file: string, signal?: AbortSignal): Promise<string> => {
  const owner = `${hostname()} ${process.pid} ${randomUUID()}`
  let seen = { state: '', since: performance.now() }
  for (let wait = shortestPauseMs; ; wait = Math.min(wait * 1.5, longestPauseMs)) {
    signal?.throwIfAborted()
    if (await create(file, owner)) return owner
    const holder = await look(file)
    if (holder === undefined) continue
    if (holder.state !== seen.state) seen = { state: holder.state, since: performance.now() }
    const abandoned = isDead(holder.owner) || performance.now() - seen.since > abandonedMs
    if (abandoned) await takeAway(file, holder.owner)
    else await waitBeside(file, wait, signal)
  }
}

const create = async (file: string, owner: string): Promise<boolean> => {
  try {
    const handle = await open(file, 'wx')
    await handle.writeFile(owner).finally(() => handle.close())
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    if (!isCode(error, 'ENOENT')) {
      await rm(file, { force: true }).catch(() => {})
      throw error
    }
    throw new StoreError('store-gone', `The collection was removed while it was in use: ${file}`, {
      remedy: 'Index again: vidgrep index FOLDER',
      cause: error,
    })
  }
}

type Holder = { readonly owner: string; readonly state: string }

const look = async (file: string): Promise<Holder | undefined> => {
  try {
    const handle = await open(file, 'r')
    try {
      const [owner, { mtimeMs, ino }] = [await handle.readFile('utf8'), await handle.stat()]
      return { owner, state: `${owner} ${ino} ${mtimeMs}` }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Only a process of this machine can be asked whether it lives. */
const isDead = (owner: string): boolean => {
  const [host, pid] = owner.split(' ')
  if (host !== hostname() || !pid) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return isCode(error, 'ESRCH')
  }
}

/** Renaming is atomic: of several that find a lock abandoned, one gets it; a living lock taken by mistake goes back. */
const takeAway = async (file: string, owner: string): Promise<void> => {
  const aside = `${file}.${randomUUID()}`
  try {
    await rename(file, aside)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return
    throw error
  }
  if ((await readFile(aside, 'utf8')) === owner) await rm(aside, { force: true })
  else await rename(aside, file)
}

const waitBeside = async (file: string, waitMs: number, signal?: AbortSignal): Promise<void> => {
  const sign = await open(waitingFile(file), 'w').catch(() => undefined)
  await sign?.close()
  await pauseUnlessAborted(waitMs * (0.5 + Math.random()), signal)
}

const pauseUnlessAborted = (ms: number, signal?: AbortSignal): Promise<void> =>
  pause(ms, undefined, { signal }).catch(() => signal?.throwIfAborted())

/** @returns whether others are waiting */
const release = async (file: string, owner: string): Promise<boolean> => {
  // Somebody who took this process for dead may hold the lock by now.
  if ((await look(file))?.owner === owner) await rm(file, { force: true })
  return rm(waitingFile(file)).then(
    () => true,
    () => false,
  )
}

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException | undefined)?.code === code
