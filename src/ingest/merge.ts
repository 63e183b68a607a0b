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
  const queue = new PQueue({ concurrency: options.concurrency })
  const ready: T[] = []
  const taken = bell()
  const arrived = bell()
  // A signal for each source: those of ten files' decoders would be too many listeners for one.
  const running = new Set<AbortController>()
  let isStopped = false
  let failure: { readonly error: unknown } | undefined

  const stop = (): void => {
    isStopped = true
    for (const source of running) source.abort(options.signal?.reason)
    taken.ring()
    arrived.ring()
  }
  const run = async (source: Source<T>): Promise<void> => {
    if (isStopped) return
    const controller = new AbortController()
    running.add(controller)
    try {
      for await (const item of source(controller.signal)) {
        while (ready.length >= options.lookAhead && !isStopped) await taken.wait()
        if (isStopped) return
        ready.push(item)
        arrived.ring()
      }
    } finally {
      running.delete(controller)
    }
  }

  let left = sources.length
  for (const source of sources) {
    void queue
      .add(() => run(source))
      .catch((error) => {
        failure ??= { error }
        stop()
      })
      .finally(() => {
        left -= 1
        arrived.ring()
      })
  }
  options.signal?.addEventListener('abort', stop, { once: true })
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
    options.signal?.removeEventListener('abort', stop)
    stop()
    await queue.onIdle()
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
