import { watch } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** Hears of changes. */
export type Listener = {
  /** Changes may go unheard: nothing is listened to, or the system tells of none. */
  isDeaf(): boolean
  /** Resolves when something has changed since the last time, or after so many milliseconds. */
  next(ms: number, signal: AbortSignal): Promise<void>
  close(): void
}

/**
 * Listens to changes of files and of all that lies below folders, where the system tells of them.
 *
 * @param swarmMs changes come in swarms, as a file grows: after the first of them this is waited for the others
 */
export const listen = (named: readonly string[], swarmMs: number): Listener => {
  let isDue = false
  let isDeaf = named.length === 0
  let wake = (): void => {}
  const notice = (): void => {
    isDue = true
    wake()
  }
  const deafen = (): void => {
    isDeaf = true
  }
  const watchers = named.flatMap((path) => {
    try {
      // The system may be out of watches, or has none: then the files are looked at in turn.
      return [watch(path, { recursive: true }, notice).on('error', deafen)]
    } catch {
      deafen()
      return []
    }
  })
  return {
    isDeaf: () => isDeaf,
    next: async (ms, signal) => {
      if (!isDue) {
        const left = new AbortController()
        const changed = new Promise<void>((resolve) => (wake = resolve))
        try {
          await Promise.race([changed, pause(ms, undefined, { signal: AbortSignal.any([signal, left.signal]) })])
        } finally {
          left.abort()
        }
      }
      if (isDue) await pause(swarmMs, undefined, { signal })
      isDue = false
    },
    close: () => {
      for (const watcher of watchers) watcher.close()
    },
  }
}
