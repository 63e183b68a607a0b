import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, join, sep } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { UsageError, VidgrepError } from '../errors.ts'
import type { IngestEvent } from '../index.ts'
import { type Collections, isStoreError } from './collections.ts'
import type { Folders, IndexingState } from './schemas/live.ts'

/** Indexing that is started from the page: one run at a time, and only within folders that were allowed. */
export type Indexing = {
  state(): IndexingState
  /** Calls back at each change, until the signal is aborted. */
  watch(onChange: (state: IndexingState) => void, signal: AbortSignal): void
  /**
   * Begins a run, which goes on when the page is closed.
   * @param paths folders and files, within those that are allowed once links are followed
   * @throws VidgrepError if one of them is not allowed, or a run is under way
   */
  start(paths: readonly string[], collection?: string): Promise<IndexingState>
  /** What was encoded is kept; resolves when the run has ended. */
  stop(): Promise<IndexingState>
  /** The folders within an allowed one, or the allowed ones themselves. */
  folders(path?: string): Promise<Folders>
}

/** Folders that are listed at once. */
const mostFolders = 1000

const idle: IndexingState = {
  isRunning: false,
  paths: [],
  videos: 0,
  done: 0,
  failed: 0,
  current: null,
  ended: null,
  message: null,
}

/** @param allowed folders as the user named them; they need not exist yet */
export const openIndexing = (collections: Collections, allowed: readonly string[]): Indexing => {
  const watchers = new Set<(state: IndexingState) => void>()
  let state = idle
  let running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined

  const change = (part: Partial<IndexingState>): void => {
    state = { ...state, ...part }
    for (const watcher of watchers) watcher(state)
  }

  const run = async (paths: readonly string[], collection: string | undefined, signal: AbortSignal): Promise<void> => {
    const startedMs = performance.now()
    try {
      const index = await collections.open(collection)
      for await (const event of index.ingest(paths, { signal })) change(changeBy(event, state))
      change({ ended: 'done' })
    } catch (error) {
      if (signal.aborted) change({ ended: 'stopped' })
      else change({ ended: 'failed', message: (error as Error).message })
      if (isStoreError(error)) collections.reopen(collection, startedMs)
    } finally {
      running = undefined
      change({ isRunning: false, current: null })
    }
  }

  return {
    state: () => state,
    watch: (onChange, signal) => {
      watchers.add(onChange)
      signal.addEventListener('abort', () => watchers.delete(onChange), { once: true })
    },
    start: async (paths, collection) => {
      const roots = await realPaths(allowed)
      const wanted = await Promise.all(paths.map((path) => within(roots, path)))
      if (running) {
        throw new VidgrepError('busy', 'Videos are being indexed already', { remedy: 'Wait for that, or stop it' })
      }
      const stop = new AbortController()
      change({ ...idle, isRunning: true, paths: wanted })
      running = { stop, ended: run(wanted, collection, stop.signal) }
      return state
    },
    stop: async () => {
      const under = running
      under?.stop.abort()
      await under?.ended
      return state
    },
    folders: async (path) => {
      const roots = await realPaths(allowed)
      if (path === undefined) return { path: null, folders: roots.map((root) => ({ path: root, name: root })) }
      const real = await within(roots, path)
      if (!(await stat(real)).isDirectory()) throw notAllowed(path)
      const entries = await readdir(real, { withFileTypes: true })
      const names = entries.filter((each) => each.isDirectory() && !each.name.startsWith('.')).map(({ name }) => name)
      return {
        path: real,
        folders: names
          .sort()
          .slice(0, mostFolders)
          .map((name) => ({ path: join(real, name), name: basename(name) })),
      }
    },
  }
}

const changeBy = (event: IngestEvent, { done, failed }: IndexingState): Partial<IndexingState> => {
  switch (event.type) {
    case 'found':
      return { videos: event.videos }
    case 'started':
      return { current: { path: event.path, atSeconds: 0, durationSeconds: null } }
    case 'progress': {
      const { path, atSeconds, durationSeconds } = event
      return { current: { path, atSeconds, durationSeconds: durationSeconds ?? null } }
    }
    case 'video':
      return { done: done + 1, failed: failed + (event.result.status === 'failed' ? 1 : 0) }
    default:
      return {}
  }
}

/** After trouble, the wait before the collection is opened anew. */
const restMs = 10_000

/**
 * Keeps the collection up to date with folders for as long as the server runs.
 * @returns ends that, and resolves when it has ended
 */
export const watchFolders = (
  collections: Collections,
  paths: readonly string[],
  onNotice: (line: string) => void = () => {},
): (() => Promise<void>) => {
  const ending = new AbortController()
  const { signal } = ending
  const watch = async (): Promise<void> => {
    const index = await collections.open()
    for await (const event of index.watch(paths, { signal })) {
      if (event.type === 'trouble' && isStoreError(event.cause)) throw event.cause
      if (event.type === 'trouble') onNotice(event.reason)
      if (event.type === 'video' && event.result.status !== 'complete') {
        onNotice(`${event.result.path}: ${event.result.status}: ${event.result.reason}`)
      }
    }
  }
  const ended = (async () => {
    while (!signal.aborted) {
      const startedMs = performance.now()
      try {
        await watch()
      } catch (error) {
        onNotice(error instanceof VidgrepError ? error.message : String((error as Error).stack))
        if (isStoreError(error)) collections.reopen(undefined, startedMs)
        await pause(restMs, undefined, { signal }).catch(() => {})
      }
    }
  })()
  return async () => {
    ending.abort()
    await ended
  }
}

/** A folder on a disk that is away now is left out, until it is back. */
const realPaths = async (paths: readonly string[]): Promise<readonly string[]> => {
  const real = await Promise.all(paths.map((path) => realpath(path).catch(() => undefined)))
  return real.filter((path) => path !== undefined)
}

/**
 * Where a path leads, all links followed.
 * @throws VidgrepError if that is not within one of the folders; the same whether or not something is there
 */
const within = async (roots: readonly string[], path: string): Promise<string> => {
  const real = path.includes('\0') ? undefined : await realpath(path).catch(() => undefined)
  if (real !== undefined && roots.some((root) => real === root || real.startsWith(withEnd(root)))) return real
  throw notAllowed(path)
}

const withEnd = (folder: string): string => (folder.endsWith(sep) ? folder : folder + sep)

const notAllowed = (path: string): VidgrepError =>
  new VidgrepError('not-allowed', `Expected a folder that this server may index, got ${path}`, {
    remedy: 'Start it with the folder: vidgrep serve --allow DIR',
  })

/** @throws UsageError if a folder that is to be allowed does not exist */
export const checkAllowed = async (folders: readonly string[]): Promise<void> => {
  for (const folder of folders) {
    const found = await stat(folder).catch(() => undefined)
    if (found?.isDirectory()) continue
    throw new UsageError(`Expected a folder that may be indexed from the page, got ${folder}`, {
      remedy: 'Name one that exists: vidgrep serve --allow ./footage',
    })
  }
}
