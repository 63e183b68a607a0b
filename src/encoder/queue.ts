export type QueueOptions = {
  /** Rejects the task at once; one that has not begun never begins. */
  readonly signal?: AbortSignal
  /** Called once when the task holds nothing any more: it ended, or never began. */
  readonly done?: () => void
}

export type Queue = { add<T>(task: () => Promise<T>, options?: QueueOptions): Promise<T> }

/**
 * Runs tasks in the order in which they came, `concurrency` at once. (p-queue rejects an aborted task that runs only when
 * the task itself ends; here the caller is free at once, while the place stays taken.)
 */
export const createQueue = (concurrency: number): Queue => {
  const waiting: (() => void)[] = []
  const onAbort = createWatch()
  let running = 0

  const next = (): void => {
    while (running < concurrency && waiting.length > 0) waiting.shift()!()
  }

  return {
    add: (task, { signal, done } = {}) =>
      new Promise((resolve, reject) => {
        const start = (): void => {
          running++
          task()
            .then(resolve, reject)
            .finally(() => {
              running--
              unwatch?.()
              done?.()
              next()
            })
        }
        const abort = (): void => {
          reject(signal!.reason)
          const place = waiting.indexOf(start)
          if (place === -1) return
          waiting.splice(place, 1)
          done?.()
        }
        const unwatch = signal && onAbort(signal, abort)
        waiting.push(start)
        next()
      }),
  }
}

/** Rejects at once when the signal does; what was waited for goes on. */
export const untilAborted = <T>(pending: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
  if (!signal) return pending
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    pending.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** One listener a signal, however many tasks wait for it: Node warns of a leak at the eleventh. */
const createWatch = () => {
  const watched = new WeakMap<AbortSignal, Set<() => void>>()
  return (signal: AbortSignal, react: () => void): (() => void) => {
    const reactions = watched.get(signal) ?? new Set()
    if (!watched.has(signal)) {
      watched.set(signal, reactions)
      signal.addEventListener('abort', () => [...reactions].map((each) => each()), { once: true })
    }
    reactions.add(react)
    return () => reactions.delete(react)
  }
}
