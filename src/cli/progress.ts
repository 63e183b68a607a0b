import { basename } from 'node:path'
import type { IngestEvent, VideoResult } from '../ingest/events.ts'
import { formatTimestamp } from '../search/timestamp.ts'
import { createBar } from './bar.ts'
import { warn } from './run.ts'

export type Progress = { show(event: IngestEvent): void; end(): void }

/** A bar on a terminal, plain lines elsewhere, only what went wrong when quiet. */
export const openProgress = ({ quiet, terminal }: { quiet: boolean; terminal: boolean }): Progress =>
  quiet ? openQuiet() : terminal ? openBar() : openLines()

const openQuiet = (): Progress => ({ show: (event) => problem(event, warn), end: () => {} })

const openLines = (): Progress => {
  let total = 0
  let done = 0
  return {
    show: (event) => {
      problem(event, warn)
      if (event.type === 'found') total = event.videos
      if (event.type === 'searchable') warn(searchable)
      if (event.type !== 'video') return
      done += 1
      if (event.result.status === 'complete') warn(`[${done}/${total}] ${doneLine(event.result)}`)
    },
    end: () => {},
  }
}

const searchable = 'All whole frames are in: every video can be searched. Now the squares.'

const doneLine = ({ path, frames, points, encoded, unchanged, seconds }: VideoResult): string => {
  if (encoded === 0) return `${path}: nothing to do, ${points} points are there`
  const same = unchanged > 0 ? `, ${unchanged} unchanged` : ''
  return `${path}: ${frames} frames, ${encoded} patches${same} in ${seconds.toFixed(1)} s`
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
      meter.count(event)
      if (event.type === 'found') bar.start(1, 0, meter.words())
      else if (event.type === 'searchable') above(searchable)
      else problem(event, above)
      bar.update(meter.fraction(), meter.words())
    },
    end: () => bar.stop(),
  }
}

/** How far the run is, by bytes of the files: their lengths in seconds would have to be asked first. */
const openMeter = () => {
  let [videos, bytes, done, doneBytes, workedBytes, frames, patches] = [0, 0, 0, 0, 0, 0, 0]
  let startedMs = performance.now()
  let current = ''
  const running = new Map<string, { bytes: number; fraction: number; frames: number }>()
  const runningBytes = (): number => [...running.values()].reduce((sum, video) => sum + video.bytes * video.fraction, 0)
  const elapsedSeconds = (): number => (performance.now() - startedMs) / 1000

  const count = (event: IngestEvent): void => {
    if (event.type === 'found') {
      ;[videos, bytes, startedMs] = [event.videos, event.bytes, performance.now()]
    } else if (event.type === 'started') {
      running.set(event.path, { bytes: event.bytes, fraction: 0, frames: 0 })
    } else if (event.type === 'progress') {
      const video = running.get(event.path)
      if (!video) return
      frames += event.frames - video.frames
      patches += event.encoded
      video.frames = event.frames
      video.fraction = event.durationSeconds ? Math.min(1, event.atSeconds / event.durationSeconds) : 0
      current = `${basename(event.path)} ${formatTimestamp(event.atSeconds).slice(0, 8)}`
    } else if (event.type === 'coarse') {
      running.delete(event.path)
      done += 1
      doneBytes += event.bytes
      workedBytes += event.bytes
    } else if (event.type === 'searchable') {
      // The second pass begins anew, and at a speed of its own.
      ;[done, doneBytes, workedBytes, frames, patches, startedMs] = [0, 0, 0, 0, 0, performance.now()]
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

export const formatDuration = (seconds: number | undefined): string => {
  if (seconds === undefined) return '–'
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`
  return `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`
}

const problem = (event: IngestEvent, tell: (line: string) => void): void => {
  if (event.type === 'video' && event.result.status !== 'complete') {
    tell(`${event.result.path}: ${event.result.status}: ${event.result.reason ?? 'no reason known'}`)
  }
}
