import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { delimiter, dirname } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { executable, FfmpegError, ffmpegVersions, findTool, isAtLeast } from '../../src/video/ffmpeg.ts'
import { useFolder } from './makeClip.ts'

const inFolder = useFolder()

beforeEach(() => {
  vi.stubEnv('VIDGREP_FFMPEG', undefined)
  vi.stubEnv('VIDGREP_FFPROBE', undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

/** A program that answers `-version` as given, and writes down that it was asked. */
const program = async (name: string, answer: string): Promise<string> => {
  const file = inFolder(name)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `#!/bin/sh\necho asked >> "$0.log"\n${answer}\n`, { mode: 0o755 })
  return file
}

const answering = (version: string, libavcodec: string) =>
  `printf 'ffmpeg version ${version} Copyright (c)\\nlibavcodec     ${libavcodec} / ${libavcodec}\\n'`

const timesAsked = (file: string) => stat(`${file}.log`).then(({ size }) => size / 'asked\n'.length)

describe('which ffmpeg is taken', () => {
  test('the carried one where PATH has none', async () => {
    vi.stubEnv('PATH', inFolder('nowhere'))
    const { ffmpeg, ffprobe } = await ffmpegVersions()
    for (const tool of [ffmpeg, ffprobe]) {
      expect(tool.source).toBe('carried')
      expect(tool.path).toContain('node_modules')
      expect(isAtLeast(tool, 58, 0)).toBe(true)
    }
  })

  test('exactly the carried one on demand, whatever PATH has', async () => {
    vi.stubEnv('VIDGREP_FFMPEG', 'carried')
    expect((await findTool('ffmpeg')).source).toBe('carried')
  })

  test('the first on PATH that runs', async () => {
    await program('broken/ffmpeg', 'exit 3')
    const good = await program('good/ffmpeg', answering('n7.1', '61. 19.101'))
    vi.stubEnv('PATH', [inFolder('empty'), inFolder('broken'), inFolder('good')].join(delimiter))
    expect(await findTool('ffmpeg')).toEqual({ path: good, version: 'n7.1', source: 'PATH', libavcodec: [61, 19] })
  })

  test('a variable before PATH', async () => {
    const own = await program('own ffmpeg', answering('N-47683-g0e8eb07980-static', '58. 42.100'))
    vi.stubEnv('VIDGREP_FFMPEG', own)
    const tool = await findTool('ffmpeg')
    expect(tool).toMatchObject({ path: own, source: 'env', libavcodec: [58, 42] })
    expect(isAtLeast(tool, 58, 42)).toBe(true)
    expect(isAtLeast(tool, 58, 43)).toBe(false)
    expect(isAtLeast(tool, 59, 0)).toBe(false)
    expect(isAtLeast(tool, 57, 99)).toBe(true)
  })
})

test('a variable that names nothing usable is an error, not a reason to look elsewhere', async () => {
  vi.stubEnv('VIDGREP_FFPROBE', inFolder('missing'))
  await expect(findTool('ffprobe')).rejects.toThrow(FfmpegError)
  await expect(findTool('ffprobe')).rejects.toThrow(/missing \(from VIDGREP_FFPROBE\), got: .*ENOENT/)
  vi.stubEnv('VIDGREP_FFPROBE', await program('chatty', 'echo hello'))
  await expect(findTool('ffprobe')).rejects.toThrow('a program that does not tell its version')
  vi.stubEnv('VIDGREP_FFPROBE', await program('ancient', answering('2.8', '56. 60.100')))
  await expect(findTool('ffprobe')).rejects.toThrow('Expected ffprobe 4.1 or newer')
})

test('it is asked once, and again only after a failure', async () => {
  const file = await program('counted', 'exit 1')
  vi.stubEnv('VIDGREP_FFMPEG', file)
  await expect(findTool('ffmpeg')).rejects.toThrow(FfmpegError)
  await expect(findTool('ffmpeg')).rejects.toThrow(FfmpegError)
  expect(await timesAsked(file)).toBe(2)
  await program('counted', answering('6.0', '60. 3.100'))
  await Promise.all([findTool('ffmpeg'), findTool('ffmpeg'), findTool('ffmpeg')])
  await findTool('ffmpeg')
  expect(await timesAsked(file)).toBe(3)
})

describe('a carried program that may not be executed', () => {
  test('gets the right to be', async () => {
    const file = await program('plain', answering('4.1', '58. 35.100'))
    await chmod(file, 0o644)
    expect(await executable(file, 'ffmpeg')).toBe(file)
    expect((await stat(file)).mode & 0o111).toBe(0o111)
  })

  // Only where the system keeps a file's mode from being changed can the copy be seen: /proc is such a place.
  test.runIf(process.platform === 'linux')('is copied where its mode cannot be changed', async () => {
    vi.stubEnv('VIDGREP_HOME', inFolder('home'))
    const copy = await executable('/proc/self/status', 'ffmpeg')
    expect(copy).toContain(inFolder('home/cache/bin/ffmpeg-'))
    expect((await stat(copy)).mode & 0o111).toBe(0o111)
  })
})
