import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'

export type Source<T> = (signal: AbortSignal) => AsyncIterable<T>

export type MergeOptions = {
  /** Sources that run at once. */
  readonly concurrency: number
  /** Items that wait to be taken before the sources are held back. */
  readonly lookAhead: number
  readonly signal?: AbortSignal
}

/**
 * Runs several sources side by side and hands out their items as they come; the items of one source stay in order.
 * The first error ends all of them, and so does an early `break`: every source has ended when this generator has.
 */
export async function* merge<T>(sources: readonly Source<T>[], options: MergeOptions): AsyncGenerator<T, void> {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])])
  // Each running source and its parts listen to it.
  setMaxListeners(0, signal)
  const queue = new PQueue({ concurrency: options.concurrency })
  const ready: T[] = []
  const taken = bell()
  const arrived = bell()
  let failure: { readonly error: unknown } | undefined

  const run = async (source: Source<T>): Promise<void> => {
    for await (const item of source(signal)) {
      while (ready.length >= options.lookAhead && !signal.aborted) await taken.wait()
      if (signal.aborted) return
      ready.push(item)
      arrived.ring()
    }
  }
  const fail = (error: unknown): void => {
    failure ??= { error }
    stop.abort()
  }
  const ringAll = (): void => {
    taken.ring()
    arrived.ring()
  }
  signal.addEventListener('abort', ringAll)

  let left = sources.length
  for (const source of sources) {
    void queue
      .add(async () => {
        if (!signal.aborted) await run(source)
      })
      .catch(fail)
      .finally(() => {
        left -= 1
        arrived.ring()
      })
  }

  try {
    while (true) {
      options.signal?.throwIfAborted()
      if (failure) throw failure.error
      const item = ready.shift()
      if (item !== undefined) {
        taken.ring()
        yield item
      } else if (left === 0) {
        return
      } else {
        await arrived.wait()
      }
    }
  } finally {
    stop.abort()
    await queue.onIdle()
    signal.removeEventListener('abort', ringAll)
  }
}

/** Wakes all who wait. */
const bell = (): { wait: () => Promise<void>; ring: () => void } => {
  let waiting: (() => void)[] = []
  return {
    wait: () => new Promise((resolve) => waiting.push(resolve)),
    ring: () => {
      const woken = waiting
      waiting = []
      for (const wake of woken) wake()
    },
  }
}
