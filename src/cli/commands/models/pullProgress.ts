import type { PullProgress } from '../../../models/pull/plan.ts'
import { createBar } from '../../bar.ts'
import { formatDuration } from '../../progress.ts'
import { warn } from '../../run.ts'
import { formatBytes } from './bytes.ts'

export type PullMeter = { show(progress: PullProgress): void; end(): void }

type Options = {
  readonly quiet: boolean
  readonly terminal: boolean
  /** What the manifest expects, roughly where it does not know: stands in until the server has said the sizes. */
  readonly totalBytes: number
}

/** A bar on a terminal, a line each tenth elsewhere, nothing when quiet. */
export const openPullProgress = ({ quiet, terminal, totalBytes }: Options): PullMeter =>
  quiet ? { show: () => {}, end: () => {} } : terminal ? openBar(totalBytes) : openLines(totalBytes)

const openLines = (expectedBytes: number): PullMeter => {
  let told = 0
  return {
    show: ({ receivedBytes, totalBytes = expectedBytes }) => {
      const tenths = Math.floor((10 * receivedBytes) / totalBytes)
      if (tenths <= told) return
      told = tenths
      warn(`${10 * tenths}%  ${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)}`)
    },
    end: () => {},
  }
}

const openBar = (expectedBytes: number): PullMeter => {
  const bytesASecond = openRate()
  const bar = createBar('{percentage}% {bar} {received}/{whole} · {rate}/s · ETA {left}')
  const words = ({ receivedBytes, totalBytes = expectedBytes }: PullProgress) => {
    const rate = bytesASecond(receivedBytes, performance.now())
    return {
      received: formatBytes(receivedBytes),
      whole: formatBytes(totalBytes),
      rate: formatBytes(rate ?? 0),
      left: formatDuration(rate ? Math.max(0, totalBytes - receivedBytes) / rate : undefined),
    }
  }
  let started = false
  return {
    // Only when bytes come: where nothing is to be fetched there is no bar.
    show: (progress) => {
      if (!started) bar.start(progress.totalBytes ?? expectedBytes, 0, words(progress))
      started = true
      if (progress.totalBytes !== undefined) bar.setTotal(progress.totalBytes)
      bar.update(progress.receivedBytes, words(progress))
    },
    end: () => bar.stop(),
  }
}

/** Only the last seconds count: a resumed file begins with a leap, and connections change their speed. */
const windowMs = 8_000

/** @returns bytes a second over the last seconds, `undefined` until that can be told */
export const openRate = () => {
  const samples: { readonly bytes: number; readonly atMs: number }[] = []
  return (bytes: number, atMs: number): number | undefined => {
    samples.push({ bytes, atMs })
    while (samples.length > 2 && samples[0]!.atMs < atMs - windowMs) samples.shift()
    const first = samples[0]!
    const elapsedMs = atMs - first.atMs
    return elapsedMs > 0 ? (1000 * (bytes - first.bytes)) / elapsedMs : undefined
  }
}
