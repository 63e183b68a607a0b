import { readdir, stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { UsageError, VidgrepError } from '../errors.ts'
import { type FindFilesOptions, findFiles } from '../files/find.ts'
import { listen } from '../files/listen.ts'
import { rootFinder } from '../files/paths.ts'
import type { VideoRecord } from '../store/store.ts'
import type { IngestEvent } from './events.ts'

export type WatchOptions = Omit<FindFilesOptions, 'accept'> & {
  /** Seconds for which a file must have stayed the same before it is indexed: it may be written still. @default 5 */
  readonly settleSeconds?: number
  /** Look every so many seconds, and listen to no changes: for network disks, which do not tell of them. */
  readonly pollSeconds?: number
  /** Ends it, without an error. */
  readonly signal: AbortSignal
}

export type WatchEvent =
  /** What a run does for a file that is new or has changed. */
  | Exclude<IngestEvent, { type: 'found' | 'vanished' | 'done' }>
  /** A file that is gone, which the collection has forgotten. */
  | { readonly type: 'forgotten'; readonly path: string }
  /** Something that keeps it from its work for now; it goes on by itself. */
  | { readonly type: 'trouble'; readonly reason: string; readonly cause?: VidgrepError }
  /** All is up to date, but for so many files that are being written, or went a moment ago and may have been moved. */
  | { readonly type: 'watching'; readonly waiting: number }

/** What keeps the collection. */
export type Watched = {
  /** Indexes the files that `accept` says yes to. */
  index(accept: (path: string) => boolean): AsyncIterable<IngestEvent>
  records(): Promise<readonly VideoRecord[]>
  forget(paths: readonly string[]): Promise<void>
}

const defaultSettleSeconds = 5

/** Changes may go unheard: all is looked through so often in any case. */
const rescanSeconds = 60

/** After trouble, seconds to the next attempt at the earliest. */
const restSeconds = 10

/**
 * Keeps a collection up to date with files and folders until `signal` ends it: what is new, has changed, was moved or is
 * gone. A file that is being written is waited for.
 *
 * @throws UsageError at once if one of the files and folders does not exist, or an option is out of range
 * @throws what the first look throws; later trouble is reported and waited out
 */
export async function* watch(
  named: readonly string[],
  watched: Watched,
  { settleSeconds = defaultSettleSeconds, pollSeconds, signal, ...walk }: WatchOptions,
): AsyncGenerator<WatchEvent, void> {
  checkSeconds('settle', settleSeconds)
  if (pollSeconds !== undefined) checkSeconds('poll', pollSeconds)
  const settleMs = settleSeconds * 1000
  const scanner = openScanner(named, settleMs, { ...walk, signal })
  const absence = openAbsence(settleMs * 2)
  const changes = listen(pollSeconds === undefined ? named : [], settleMs)
  const isNew = openNews()
  let isFirst = true
  let lastWaiting: number | undefined
  try {
    for (;;) {
      let waitSeconds = changes.isDeaf() ? (pollSeconds ?? restSeconds) : rescanSeconds
      try {
        const found = await scanner.scan()
        if (found.isChanged || absence.waiting() > 0) {
          yield* pass(found, watched, absence, isNew)
          scanner.done()
        }
        const waiting = found.waiting + absence.waiting()
        if (found.isChanged || waiting !== lastWaiting) yield { type: 'watching', waiting }
        lastWaiting = waiting
        if (waiting > 0) waitSeconds = Math.min(waitSeconds, settleSeconds)
      } catch (error) {
        if (isFirst || !(error instanceof VidgrepError)) throw error
        yield { type: 'trouble', reason: error.message, cause: error }
        waitSeconds = Math.max(restSeconds, pollSeconds ?? 0)
        await pause(waitSeconds * 1000, undefined, { signal })
      }
      isFirst = false
      await changes.next(waitSeconds * 1000, signal)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    changes.close()
  }
}

const checkSeconds = (name: string, seconds: number): void => {
  if (Number.isFinite(seconds) && seconds > 0) return
  throw new UsageError(`Expected --${name} to be more than 0 seconds, got ${seconds}`, {
    remedy: 'Use, for example, 10',
  })
}

async function* pass(
  { ready, emptied }: Scan,
  { index, records, forget }: Watched,
  absence: Absence,
  isNew: IsNew,
): AsyncGenerator<WatchEvent> {
  const known = new Set((await records()).flatMap(({ files }) => files.map(({ path }) => path)))
  const gone: string[] = []
  for await (const event of index((path) => ready.has(path))) {
    if (event.type === 'vanished') gone.push(event.path)
    else if (event.type === 'video') {
      const { encoded, status, path, reason = '' } = event.result
      if (encoded > 0 || (status === 'complete' ? !known.has(path) : isNew(path, status, reason))) yield event
    } else if (event.type === 'skipped') {
      if (isNew(event.path, event.kind, event.reason)) yield event
    } else if (event.type !== 'found' && event.type !== 'done') yield event
  }
  for (const root of emptied) {
    const reason = `${root} is empty: is a disk missing? Its videos are kept; if they are gone: vidgrep prune`
    yield { type: 'trouble', reason }
  }
  const isEmptied = rootFinder(emptied)
  const forgotten = absence.isOver(gone.filter((path) => isEmptied(path) === undefined))
  if (forgotten.length > 0) await forget(forgotten)
  yield* forgotten.map((path) => ({ type: 'forgotten' as const, path }))
}

/** Whether something is said of a path that was not said of it the last time. */
const openNews = () => {
  const said = new Map<string, string>()
  return (path: string, ...words: readonly string[]): boolean => {
    const now = words.join(': ')
    const isNew = said.get(path) !== now
    said.set(path, now)
    return isNew
  }
}

type IsNew = ReturnType<typeof openNews>

/**
 * Files that are gone are forgotten only when one that was moved has been indexed under its new name, which costs nothing as
 * long as the old one is known.
 */
const openAbsence = (ms: number) => {
  const since = new Map<string, number>()
  return {
    waiting: () => since.size,
    /** Takes all files that are gone, and returns those that have been for long enough. */
    isOver: (gone: readonly string[]): readonly string[] => {
      const nowMs = Date.now()
      for (const path of since.keys()) if (!gone.includes(path)) since.delete(path)
      for (const path of gone) if (!since.has(path)) since.set(path, nowMs)
      const over = gone.filter((path) => nowMs - since.get(path)! >= ms)
      for (const path of over) since.delete(path)
      return over
    },
  }
}

type Absence = ReturnType<typeof openAbsence>

type Scan = {
  readonly ready: ReadonlySet<string>
  /** Files that are too new. */
  readonly waiting: number
  /** Something was done to the files since the last time. */
  readonly isChanged: boolean
  /** Folders that were named and have nothing in them. */
  readonly emptied: readonly string[]
}

/** Tells what has changed since it was last dealt with, and which files have stayed the same for long enough. */
const openScanner = (named: readonly string[], settleMs: number, walk: FindFilesOptions) => {
  /** When each file was first seen as it is. */
  const seen = new Map<string, { readonly stamp: string; readonly sinceMs: number }>()
  let doneAs: string | undefined
  let readyAs = ''

  const scan = async (): Promise<Scan> => {
    const { roots, paths } = await findFiles(named, walk)
    const nowMs = Date.now()
    const ready: string[] = []
    for (const path of paths) {
      const found = await stat(path).catch(() => undefined)
      const stamp = found ? `${found.size} ${found.mtimeMs} ${found.ctimeMs}` : 'gone'
      if (seen.get(path)?.stamp !== stamp) {
        // The time of its last change is known where the clocks agree: what has lain there for long needs no wait.
        seen.set(path, { stamp, sinceMs: Math.min(nowMs, found?.ctimeMs ?? nowMs) })
      }
      if (nowMs - seen.get(path)!.sinceMs >= settleMs) ready.push(path)
    }
    const present = new Set(paths)
    for (const path of seen.keys()) if (!present.has(path)) seen.delete(path)
    readyAs = JSON.stringify(ready.map((path) => [path, seen.get(path)!.stamp]))
    return {
      ready: new Set(ready),
      waiting: paths.length - ready.length,
      isChanged: readyAs !== doneAs,
      emptied: await emptyOf(roots),
    }
  }
  const done = (): void => {
    doneAs = readyAs
  }
  return { scan, done }
}

/** A place where a disk is to appear is an empty folder until then. */
const emptyOf = async (roots: readonly string[]): Promise<readonly string[]> => {
  const names = await Promise.all(roots.map((root) => readdir(root).catch(() => ['not a folder'])))
  return roots.filter((_, i) => names[i]!.length === 0)
}
