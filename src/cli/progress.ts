import { basename } from 'node:path'
import cliProgress from 'cli-progress'
import { type Detail, formatTimestamp, type IngestEvent, type PullProgress, type VideoResult } from '../index.ts'
import { visible, warn } from './run.ts'

export type Progress = { show(event: IngestEvent): void; end(): void }

/** A bar on a terminal, plain lines elsewhere, only what went wrong when quiet. */
export const openProgress = ({ quiet }: { readonly quiet: boolean }): Progress =>
  quiet ? openQuiet() : process.stderr.isTTY ? openBar() : openLines()

const openQuiet = (): Progress => ({ show: (event) => showProblem(event, warn), end: () => {} })

const openLines = (): Progress => {
  let total = 0
  let done = 0
  return {
    show: (event) => {
      showProblem(event, warn)
      if (event.type === 'found') total = event.videos
      if (event.type === 'searchable') warn(searchable(event.detail))
      if (event.type !== 'video') return
      done += 1
      if (event.result.status === 'complete') warn(`[${done}/${total}] ${doneLine(event.result)}`)
    },
    end: () => {},
  }
}

const searchable = (detail: Detail): string =>
  `All videos are indexed with --detail ${detail} and can be searched now. Finer patches follow.`

const doneLine = ({ path, frames, points, encoded, unchanged, seconds }: VideoResult): string => {
  if (encoded === 0) return `${path}: nothing to do, it has ${points} points`
  const same = unchanged > 0 ? `, ${unchanged} unchanged` : ''
  return `${path}: ${frames} frames, ${encoded} patches${same} in ${seconds.toFixed(1)} s`
}

const showProblem = (event: IngestEvent, write: (line: string) => void): void => {
  if (event.type === 'migrated') write(`The collection is of an older version. ${event.description}`)
  if (event.type === 'video' && event.result.status !== 'complete') {
    write(`${event.result.path}: ${event.result.status}: ${event.result.reason ?? 'no reason known'}`)
  }
}

const openBar = (): Progress => {
  const meter = openMeter()
  const bar = createBar('{percent} {bar} {finished}/{videos} videos · {rate} · ETA {left} · {current}')
  const above = (line: string): void => {
    bar.stop()
    warn(line)
    bar.start(1, meter.fraction(), meter.words())
  }
  return {
    show: (event) => {
      if (event.type === 'migrated') return showProblem(event, warn)
      meter.count(event)
      if (event.type === 'found') bar.start(1, 0, meter.words())
      else if (event.type === 'searchable') above(searchable(event.detail))
      else showProblem(event, above)
      bar.update(meter.fraction(), meter.words())
    },
    end: () => bar.stop(),
  }
}

/** One line that is gone when the work is done. */
const createBar = (format: string): cliProgress.SingleBar =>
  new cliProgress.SingleBar({
    format,
    barsize: 24,
    barCompleteChar: '━',
    barIncompleteChar: '─',
    hideCursor: true,
    clearOnComplete: true,
    forceRedraw: true,
    linewrap: false,
    gracefulExit: false,
    fps: 8,
  })

/** How far the run is, by bytes of the files: their lengths in seconds would have to be asked first. */
export const openMeter = (nowMs: () => number = () => performance.now()) => {
  let [videos, bytes, done, doneBytes, workedBytes, frames, patches] = [0, 0, 0, 0, 0, 0, 0]
  let startedMs = nowMs()
  let current = ''
  const running = new Map<string, { bytes: number; fraction: number; frames: number }>()
  const runningBytes = (): number => [...running.values()].reduce((sum, video) => sum + video.bytes * video.fraction, 0)
  const elapsedSeconds = (): number => (nowMs() - startedMs) / 1000

  const count = (event: IngestEvent): void => {
    if (event.type === 'found') {
      ;[videos, bytes, startedMs] = [event.videos, event.bytes, nowMs()]
    } else if (event.type === 'started') {
      running.set(event.path, { bytes: event.bytes, fraction: 0, frames: 0 })
    } else if (event.type === 'progress') {
      const video = running.get(event.path)
      if (!video) return
      frames += event.frames - video.frames
      patches += event.encoded
      video.frames = event.frames
      video.fraction = event.durationSeconds ? Math.min(1, event.atSeconds / event.durationSeconds) : 0
      current = `${visible(basename(event.path))} ${formatTimestamp(event.atSeconds).slice(0, 8)}`
    } else if (event.type === 'coarse') {
      running.delete(event.path)
      done += 1
      doneBytes += event.bytes
      workedBytes += event.bytes
    } else if (event.type === 'searchable') {
      // The next pass begins anew, and at a speed of its own.
      ;[done, doneBytes, workedBytes, frames, patches, startedMs] = [0, 0, 0, 0, 0, nowMs()]
    } else if (event.type === 'video') {
      running.delete(event.result.path)
      done += 1
      doneBytes += event.bytes
      if (event.result.encoded > 0) workedBytes += event.bytes
    }
  }
  const etaSeconds = (): number | undefined => {
    const worked = workedBytes + runningBytes()
    return worked > 0 ? (elapsedSeconds() * (bytes - doneBytes - runningBytes())) / worked : undefined
  }
  const fraction = (): number => (bytes > 0 ? Math.min(1, (doneBytes + runningBytes()) / bytes) : 0)
  return {
    count,
    fraction,
    words: () => ({
      percent: `${Math.floor(100 * fraction())}%`.padStart(4),
      finished: done,
      videos,
      rate: `${(frames / elapsedSeconds()).toFixed(1)} frames/s · ${Math.round(patches / elapsedSeconds())} patches/s`,
      left: formatDuration(etaSeconds()),
      current,
    }),
  }
}

const formatDuration = (seconds: number | undefined): string => {
  if (seconds === undefined) return '–'
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`
  return `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`
}

export type PullMeter = { show(progress: PullProgress): void; end(): void }

type PullOptions = {
  readonly quiet: boolean
  /** What the manifest expects, roughly where it does not know: stands in until the server has said the sizes. */
  readonly totalBytes: number
}

/** A bar on a terminal, a line for each tenth elsewhere, nothing when quiet. */
export const openPullProgress = ({ quiet, totalBytes }: PullOptions): PullMeter => {
  if (quiet) return { show: () => {}, end: () => {} }
  return process.stderr.isTTY ? openPullBar(totalBytes) : openPullLines(totalBytes)
}

const openPullLines = (expectedBytes: number): PullMeter => {
  let shown = 0
  return {
    show: ({ receivedBytes, totalBytes = expectedBytes }) => {
      const tenths = Math.floor((10 * receivedBytes) / totalBytes)
      if (tenths <= shown) return
      shown = tenths
      warn(`${10 * tenths}%  ${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)}`)
    },
    end: () => {},
  }
}

const openPullBar = (expectedBytes: number): PullMeter => {
  const bytesPerSecond = openRate()
  const bar = createBar('{percentage}% {bar} {received}/{whole} · {rate}/s · ETA {left}')
  const words = ({ receivedBytes, totalBytes = expectedBytes }: PullProgress) => {
    const rate = bytesPerSecond(receivedBytes, performance.now())
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

/** @returns bytes per second over the last seconds, `undefined` at first */
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

/** For people: "608 MB", "1.2 GB"; decimal, as disks and downloads are counted. */
export const formatBytes = (bytes: number): string => {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(0)} MB`
  return `${(bytes / 1e3).toFixed(0)} kB`
}
