import { setTimeout as sleep } from 'node:timers/promises'

/** First pause and longest pause in seconds; each is up to twice the one before. */
const firstPauseSeconds = 0.1
const longestPauseSeconds = 4

export type Retry = {
  readonly signal?: AbortSignal
  /** How long after the first attempt another one may still begin, in seconds; may depend on what went wrong. */
  patienceSeconds(error: unknown): number
  /** Shortest pause after this failure in seconds; `undefined` if trying again is of no use. */
  waitSeconds(error: unknown): number | undefined
}

/**
 * Tries again after transient failures, with pauses that double and are drawn at random (full jitter,
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that many clients of a server that
 * comes back do not all come at once.
 * @throws the last failure, or the signal's reason
 */
export const retrying = async <T>(attempt: () => Promise<T>, retry: Retry): Promise<T> => {
  const start = performance.now()
  for (let pauseSeconds = firstPauseSeconds; ; pauseSeconds = Math.min(2 * pauseSeconds, longestPauseSeconds)) {
    try {
      return await attempt()
    } catch (error) {
      retry.signal?.throwIfAborted()
      const atLeastSeconds = retry.waitSeconds(error)
      if (atLeastSeconds === undefined) throw error
      const waitSeconds = atLeastSeconds + pauseSeconds * Math.random()
      const passedSeconds = (performance.now() - start) / 1000
      if (passedSeconds + waitSeconds > retry.patienceSeconds(error)) throw error
      await pause(waitSeconds, retry.signal)
    }
  }
}

const pause = async (seconds: number, signal: AbortSignal | undefined): Promise<void> => {
  try {
    await sleep(seconds * 1000, undefined, signal ? { signal } : {})
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
