/*
 * A process that ends while the runtime computes in another thread is aborted by the runtime, with a core dump and a wrong
 * exit code. So workers show in shared memory when they are inside the runtime, and the process waits for that at its
 * end: at most for one batch, or for a model to load.
 */

const running = 0
const stopped = 1

/** Shared memory: how many workers are inside the runtime, and whether they may enter it again. */
export type Gate = Int32Array

export const createGate = (): Gate => new Int32Array(new SharedArrayBuffer(8))

/** Runs `work`, which may enter the runtime, in a worker; never begins it, nor resolves, once the process is ending. */
export const throughGate = async <T>(gate: Gate, work: () => Promise<T>): Promise<T> => {
  Atomics.add(gate, running, 1)
  try {
    if (Atomics.load(gate, stopped) === 0) return await work()
  } finally {
    Atomics.sub(gate, running, 1)
    Atomics.notify(gate, running)
  }
  return new Promise(() => {})
}

/** Longest wait at the end of the process, in milliseconds: longer than any batch takes. */
const patience = 30_000

/** Lets nothing in any more and blocks this thread until the workers are out of the runtime. */
export const closeGate = (gate: Gate): void => {
  Atomics.store(gate, stopped, 1)
  const startedMs = performance.now()
  for (let inside = Atomics.load(gate, running); inside > 0; inside = Atomics.load(gate, running)) {
    const leftMs = patience - (performance.now() - startedMs)
    if (leftMs <= 0 || Atomics.wait(gate, running, inside, leftMs) === 'timed-out') return
  }
}
