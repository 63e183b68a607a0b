/*
 * A process that ends while the runtime computes in another thread is aborted by the runtime, with a core dump and a wrong
 * exit code. So the worker shows in shared memory when it is inside the runtime, and the process waits for that at its
 * end: at most for one batch, or for a model to load.
 */

const running = 0
const stopped = 1

/** Shared memory: whether the worker is inside the runtime, and whether it may enter it again. */
export type Gate = Int32Array

export const createGate = (): Gate => new Int32Array(new SharedArrayBuffer(8))

/** Runs `work`, which may enter the runtime, in the worker; never begins it, nor resolves, once the process is ending. */
export const throughGate = async <T>(gate: Gate, work: () => Promise<T>): Promise<T> => {
  Atomics.store(gate, running, 1)
  try {
    if (Atomics.load(gate, stopped) === 0) return await work()
  } finally {
    Atomics.store(gate, running, 0)
    Atomics.notify(gate, running)
  }
  return new Promise(() => {})
}

/** Longest wait at the end of the process, in milliseconds: longer than any batch takes. */
const patience = 30_000

/** Lets nothing in any more and blocks this thread until the worker is out of the runtime. */
export const closeGate = (gate: Gate): void => {
  Atomics.store(gate, stopped, 1)
  Atomics.wait(gate, running, 1, patience)
}
