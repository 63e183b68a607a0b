import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll } from 'vitest'
import { findTool, isAtLeast } from '../../src/video/ffmpeg.ts'
import type { Frame, Picture } from '../../src/video/video.ts'

/** A folder of its own for the clips of a test file, gone afterwards. */
export const useFolder = (): ((name: string) => string) => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vidgrep video '))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return (name) => join(folder, name)
}

/** Runs the ffmpeg that is in force, as `ffmpeg OPTIONS FILE`. */
export const makeClip = async (file: string, ...options: readonly string[]): Promise<string> => {
  const { path } = await findTool('ffmpeg')
  await promisify(execFile)(path, ['-nostdin', '-v', 'error', '-y', ...options, `file:${file}`], { maxBuffer: 1e8 })
  return file
}

/** Options that keep each frame's own time, to the millisecond, by whatever name this ffmpeg knows them. */
export const ownTimes = async (): Promise<readonly string[]> => [
  isAtLeast(await findTool('ffmpeg'), 59, 37) ? '-fps_mode' : '-vsync',
  'passthrough',
  ...['-enc_time_base', '1:1000'],
]

export const testPicture = (seconds: number, size = '160x120', rate = '25') => [
  ...['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=${rate}:duration=${seconds}`],
]

/** Small, quick H.264 that every player takes. */
export const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p'] as const

type ProbedTimes = {
  readonly frames: readonly ProbedFrame[]
  readonly streams: readonly { readonly time_base: string; readonly start_pts: number }[]
  readonly format: { readonly start_time?: string }
}

type ProbedFrame = { readonly best_effort_timestamp: number; readonly best_effort_timestamp_time: string }

/**
 * ffprobe's own times of every decoded frame of the first video stream, in seconds from the start of the file, exact to
 * the tick.
 */
export const probedTimes = async (file: string): Promise<readonly number[]> => {
  const { path } = await findTool('ffprobe')
  const entries = 'frame=best_effort_timestamp:stream=time_base,start_pts:format=start_time'
  const options = [
    '-v',
    'error',
    '-select_streams',
    'v:0',
    '-show_entries',
    entries,
    '-show_frames',
    '-show_streams',
    '-show_format',
    '-of',
    'json',
  ]
  const env = { ...process.env, GCONV_PATH: '/nowhere' }
  const { stdout } = await promisify(execFile)(path, [...options, `file:${file}`], { maxBuffer: 1e8, env })
  const answer = JSON.parse(stdout) as ProbedTimes
  const [over, under] = answer.streams[0]!.time_base.split('/').map(Number)
  const ticks = (count: number): number => (count * over!) / under!
  const ownStart = ticks(answer.streams[0]!.start_pts)
  const start = Number(answer.format.start_time ?? 0)
  // The file's start is rounded to microseconds, the stream's is not.
  const exact = Math.abs(start - ownStart) < 2e-6 ? ownStart : start
  return answer.frames.map((frame) => Math.round((ticks(frame.best_effort_timestamp) - exact) * 1e9) / 1e9)
}

/** The sampling rule, told a second time. */
export const sampled = (times: readonly number[], everySeconds: number): readonly number[] => {
  const taken: number[] = []
  for (const time of times) {
    const last = taken.at(-1)
    if (last === undefined || Math.round((time - last) * 1e6) >= Math.round(everySeconds * 1e6)) taken.push(time)
  }
  return taken
}

export const collect = async (frames: AsyncIterable<Frame>): Promise<Frame[]> => {
  const all: Frame[] = []
  for await (const frame of frames) all.push(frame)
  return all
}

/** Red, green and blue at a point given in fractions of the picture. */
export const colorAt = ({ width, height, data }: Picture, x: number, y: number): readonly number[] => {
  const at = (Math.floor(y * height) * width + Math.floor(x * width)) * 3
  return [...data.subarray(at, at + 3)]
}

/** Mean and largest absolute difference of two pictures' levels, 0–255. */
export const difference = (a: ArrayLike<number>, b: ArrayLike<number>): { mean: number; largest: number } => {
  if (a.length !== b.length) throw new Error(`Expected ${b.length} levels, got ${a.length}`)
  let sum = 0
  let largest = 0
  for (let i = 0; i < a.length; i++) {
    const apart = Math.abs(a[i]! - b[i]!)
    sum += apart
    largest = Math.max(largest, apart)
  }
  return { mean: sum / a.length, largest }
}

/** The ffmpegs and ffprobes that this process has started and that still run: zombies are over. */
export const runningTools = async (): Promise<readonly string[]> => {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'ppid=,stat=,comm='])
  const lines = stdout.split('\n').map((line) => line.trim().split(/\s+/))
  return lines
    .filter(
      ([parent, state, name]) => Number(parent) === process.pid && !state?.startsWith('Z') && name?.startsWith('ff'),
    )
    .map(String)
}
