import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { ToolVersion } from '../../src/video/ffmpeg.ts'
import { FfmpegError } from '../../src/video/ffmpeg.ts'
import { ffprobe } from '../../src/video/ffprobe.ts'
import { frames } from '../../src/video/frames.ts'
import { probe } from '../../src/video/probe.ts'
import { run } from '../../src/video/run.ts'
import { frame as still } from '../../src/video/still.ts'
import { DamagedVideoError } from '../../src/video/video.ts'
import { collect, h264, makeClip, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()
const views = [{ width: 32, height: 24 }]

afterEach(() => {
  vi.unstubAllEnvs()
})

const node: ToolVersion = { path: process.execPath, version: '', source: 'env', libavcodec: [60, 0] }

/** Runs this script of Node's to its end. */
const runScript = async (
  source: string,
  { args = [] as readonly string[], signal = undefined as AbortSignal | undefined } = {},
) => {
  const lines: string[] = []
  const log = { read: (line: string) => void lines.push(line), close: () => void lines.push('(end)') }
  const program = run(node, ['-e', source, '--', ...args], { log, signal })
  const pieces: Buffer[] = []
  for await (const piece of program.output) pieces.push(piece)
  return { output: Buffer.concat(pieces), lines, ...program.ended() }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a program', () => {
  test('gives all that it writes, and how it ended', async () => {
    const { output, ...rest } = await runScript('console.log("out"); console.error("a\\nb"); process.exitCode = 3')
    expect(output.toString()).toBe('out\n')
    expect(rest).toEqual({ lines: ['a', 'b', '(end)'], exitCode: 3, signalName: null })
  })

  test('loses no byte, however slowly it is read', async () => {
    const program = run(node, ['-e', 'process.stdout.write(Buffer.alloc(5_000_000, 7))'], {
      log: { read() {}, close() {} },
    })
    let bytes = 0
    for await (const piece of program.output) {
      if (bytes === 0) await pause(300)
      bytes += piece.length
      expect(piece.every((byte) => byte === 7)).toBe(true)
    }
    expect(bytes).toBe(5_000_000)
    expect(program.ended()).toEqual({ exitCode: 0, signalName: null })
  })

  test('has the arguments that it was given, whatever is in them', async () => {
    const words = ['-x', 'a b', '"', "'", '$HOME', '*', '\n', 'ü', '']
    const { output } = await runScript('process.stdout.write(JSON.stringify(process.argv.slice(1)))', { args: words })
    expect(JSON.parse(output.toString())).toEqual(words)
  })

  test('that does not exist is an error of the first piece', async () => {
    const missing = run({ ...node, path: '/no/such/program' }, [], { log: { read() {}, close() {} } })
    const error = await missing.output.next().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(FfmpegError)
    expect((error as Error).message).toContain('ENOENT')
  })

  test('is gone once it was left, or its signal has come', async () => {
    const endless = 'console.log(process.pid); setInterval(() => {}, 1000)'
    const controller = new AbortController()
    const start = () => run(node, ['-e', endless], { log: { read() {}, close() {} }, signal: controller.signal })
    const pids: number[] = []
    for await (const piece of start().output) {
      pids.push(Number(piece))
      break
    }
    const aborted = start()
    pids.push(Number((await aborted.output.next()).value))
    controller.abort(new Error('enough'))
    await expect(aborted.output.next()).rejects.toThrow('enough')
    expect(pids.map(isAlive)).toEqual([false, false])
    await expect(start().output.next()).rejects.toThrow('enough')
  })
})

/** A script that takes ffmpeg's or ffprobe's place. */
const standIn = async (name: 'ffmpeg' | 'ffprobe', body: string): Promise<void> => {
  const answer = `printf '${name} version 7.1 Copyright\\nlibavcodec     61. 19.101 / 61. 19.101\\n'`
  await mkdir(inFolder('stand-in'), { recursive: true })
  const file = inFolder(`stand-in/${name} ${body.length}`)
  await writeFile(file, `#!/bin/sh\nif [ "$1" = -version ]; then ${answer}; exit; fi\n${body}\n`, { mode: 0o755 })
  vi.stubEnv(`VIDGREP_${name.toUpperCase()}`, file)
}

describe('a tool that hangs is ended, and the file is at fault', () => {
  test.each([
    ['from the beginning', 'exec sleep 1000'],
    // A picture of 32 × 24 pixels, and no line that says when it is shown.
    ['after a picture without a time', 'head -c 2304 /dev/zero; exec sleep 1000'],
    ['in a child of its own', 'sleep 20'],
  ])('ffmpeg, %s', async (_, body) => {
    const clip = await makeClip(inFolder('clip.mp4'), ...testPicture(1), ...h264)
    const info = await probe(clip)
    await standIn('ffmpeg', body)
    const error = await collect(frames(clip, { everySeconds: 1, views, info, silenceSeconds: 0.5 })).catch(
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(DamagedVideoError)
    expect((error as Error).message).toBe('ffmpeg said nothing for 0.5 s and was ended')
  })

  test('ffprobe', async () => {
    await standIn('ffprobe', 'exec sleep 1000')
    const asked = ffprobe(inFolder('clip.mp4'), ['-show_streams'], { silenceSeconds: 0.5 })
    await expect(asked).rejects.toThrow('Expected ffprobe to answer, got: nothing for 0.5 s')
  })

  test('but not while nobody asks for a frame, nor while it works its way to the next one', async () => {
    const clip = await makeClip(inFolder('long.mp4'), ...testPicture(60, '320x240'), ...h264)
    const pulled = frames(clip, { everySeconds: 50, views, silenceSeconds: 2, threads: 1 })
    await pulled.next()
    await pause(3000)
    expect((await pulled.next()).value?.timestampSeconds).toBe(50)
    expect((await pulled.next()).done).toBe(true)
  })
})

test('a picture without a line about its time is the failure of its file', async () => {
  const clip = await makeClip(inFolder('odd.mp4'), ...testPicture(1), ...h264)
  const info = await probe(clip)
  await standIn('ffmpeg', 'head -c 2304 /dev/zero')
  const run = collect(frames(clip, { everySeconds: 1, views, info }))
  await expect(run).rejects.toThrow(DamagedVideoError)
  await expect(run).rejects.toThrow('without a line about its time')
})

test('what the environment tells ffmpeg to print and write does not reach it', async () => {
  const clip = await makeClip(inFolder('plain.mp4'), ...testPicture(2), ...h264)
  await mkdir(inFolder('reports'))
  const sound = await makeClip(inFolder('sound.mp4'), '-f', 'lavfi', '-i', 'sine=duration=1')
  vi.stubEnv('AV_LOG_FORCE_COLOR', '1')
  vi.stubEnv('AV_LOG_FORCE_256COLOR', '1')
  vi.stubEnv('FFREPORT', `file='${inFolder('reports')}/%p-%t.log':level=48`)
  expect(await collect(frames(clip, { everySeconds: 1, views, silenceSeconds: 5 }))).toHaveLength(2)
  expect((await still(clip, 1)).width).toBe(160)
  await expect(probe(sound)).rejects.toThrow('audio')
  expect(await readdir(inFolder('reports'))).toEqual([])
})
