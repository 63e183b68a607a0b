import { setTimeout as pause } from 'node:timers/promises'
import { isConflict } from './engine.ts'
import type { Lock } from './lock.ts'

/** With the lock held there is nobody to lose against, unless a process was stopped so long that its lock was taken. */
const mostAttempts = 8
const firstPauseMs = 20

/** Runs a write in its turn; the same write made twice has to leave what it leaves made once. */
export type Writer = <T>(write: () => Promise<T>, signal?: AbortSignal) => Promise<T>

export const writerOf =
  (lock: Lock): Writer =>
  (write, signal) =>
    lock.hold(() => withRetries(write), signal)

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
