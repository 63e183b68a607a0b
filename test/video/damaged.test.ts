import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { fingerprint } from '../../src/files/fingerprint.ts'
import { NotAVideoError, UnreadableFileError } from '../../src/files/regular.ts'
import { frames } from '../../src/video/frames.ts'
import { probe } from '../../src/video/probe.ts'
import { frame } from '../../src/video/still.ts'
import { DamagedVideoError } from '../../src/video/video.ts'
import { h264, makeClip, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()
const views = [{ width: 32, height: 24 }]

/** All frames up to the failure, and the failure. */
const decodeUntilFailure = async (file: string, everySeconds = 1) => {
  const times: number[] = []
  try {
    for await (const { timestampSeconds } of frames(file, { everySeconds, views })) times.push(timestampSeconds)
  } catch (error) {
    return { times, error }
  }
  return { times, error: undefined }
}

let whole: string

beforeAll(async () => {
  whole = await makeClip(inFolder('whole.mp4'), ...testPicture(20), ...h264, '-g', '25', '-movflags', 'faststart')
})

describe('a file that was cut off', () => {
  for (const name of ['cut.mp4', 'cut.mkv', 'cut.avi']) {
    test(`gives its frames, then says where it ended: ${name}`, async () => {
      const file = await makeClip(inFolder(name), '-i', whole, '-c', 'copy', '-movflags', 'faststart')
      const bytes = await readFile(file)
      // What counts is the pictures: an index at the end is large, and nothing is lost with it.
      const index = bytes.lastIndexOf('idx1')
      await writeFile(file, bytes.subarray(0, (name === 'cut.avi' ? index : bytes.length) * 0.6))
      const { times, error } = await decodeUntilFailure(file)
      expect(error).toBeInstanceOf(DamagedVideoError)
      const { reachedSeconds, message } = error as DamagedVideoError
      expect(reachedSeconds).toBe(times.at(-1))
      expect(reachedSeconds).toBeGreaterThan(7)
      expect(reachedSeconds).toBeLessThan(15)
      expect(message).toMatch(new RegExp(`^decoding stopped at ${reachedSeconds!.toFixed(1)} s of 20\\.\\d s`))
    })
  }

  test('is found out at a coarse step too', async () => {
    const bytes = await readFile(whole)
    await writeFile(inFolder('coarse.mp4'), bytes.subarray(0, bytes.length * 0.6))
    const { times, error } = await decodeUntilFailure(inFolder('coarse.mp4'), 6)
    expect(times).toEqual([0, 6])
    expect(error).toBeInstanceOf(DamagedVideoError)
  })

  test('gives single frames before the cut, none after it', async () => {
    const bytes = await readFile(whole)
    await writeFile(inFolder('still.mp4'), bytes.subarray(0, bytes.length * 0.6))
    expect((await frame(inFolder('still.mp4'), 3)).width).toBe(160)
    await expect(frame(inFolder('still.mp4'), 18)).rejects.toThrow(DamagedVideoError)
  })
})

test('flipped bits are counted, after the frames that could be decoded', async () => {
  const bytes = await readFile(whole)
  const flipped = Buffer.from(bytes)
  for (let at = Math.floor(bytes.length * 0.3); at < bytes.length * 0.7; at += 97) flipped[at]! ^= 0x10
  await writeFile(inFolder('flipped.mp4'), flipped)
  const { times, error } = await decodeUntilFailure(inFolder('flipped.mp4'))
  expect(times.length).toBeGreaterThan(5)
  expect(error).toBeInstanceOf(DamagedVideoError)
  expect((error as Error).message).toMatch(/^\d+ decoding errors, the first: \S/)
})

test('a video without one decodable frame has reached nothing', async () => {
  const bytes = await readFile(whole)
  const start = bytes.indexOf('mdat') + 4
  await writeFile(
    inFolder('hollow.mp4'),
    Buffer.concat([bytes.subarray(0, start), Buffer.alloc(bytes.length - start, 0xff)]),
  )
  const { times, error } = await decodeUntilFailure(inFolder('hollow.mp4'))
  expect(times).toEqual([])
  expect(error).toBeInstanceOf(DamagedVideoError)
  expect((error as DamagedVideoError).reachedSeconds).toBeUndefined()
  await expect(frame(inFolder('hollow.mp4'), 3)).rejects.toThrow(DamagedVideoError)
})

test('a recording that begins in the middle is whole', async () => {
  const stream = await makeClip(inFolder('stream.ts'), '-i', whole, '-c', 'copy')
  const bytes = await readFile(stream)
  await writeFile(inFolder('middle.ts'), bytes.subarray(Math.floor(bytes.length / 376 / 2) * 188))
  const { times, error } = await decodeUntilFailure(inFolder('middle.ts'))
  expect(error).toBeUndefined()
  expect(times.length).toBeGreaterThan(5)
})

describe('a hole in a broadcast recording', () => {
  const lively = ['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=25:duration=12']
  const withSound = [...lively, '-f', 'lavfi', '-i', 'sine=duration=12']
  const mpeg2 = ['-c:v', 'mpeg2video', '-q:v', '3', '-g', '12', '-c:a', 'mp2']

  for (const [name, ...options] of [
    ['zeroed.ts', ...h264, '-bf', '0', '-g', '25', '-c:a', 'mp2'],
    ['zeroed.mpg', ...mpeg2],
    ['zeroed.vob', ...mpeg2],
  ] as const) {
    test(`is damage, and its times are named: ${name}`, async () => {
      const file = await makeClip(inFolder(name), ...withSound, ...options)
      expect((await decodeUntilFailure(file)).error).toBeUndefined()
      const bytes = await readFile(file)
      await writeFile(file, bytes.fill(0, Math.floor(bytes.length * 0.4), Math.floor(bytes.length * 0.6)))
      for (const everySeconds of [0, 1, 5]) {
        const { times, error } = await decodeUntilFailure(file, everySeconds)
        expect(error).toBeInstanceOf(DamagedVideoError)
        const [, from, to] = (error as Error).message.match(/no frame could be read between ([\d.]+) s and ([\d.]+) s/)!
        expect(Number(from)).toBeGreaterThan(3.5)
        expect(Number(to) - Number(from)).toBeGreaterThan(1)
        expect(Number(to)).toBeLessThan(9)
        expect(times.at(-1)).toBeGreaterThan(11.9 - Math.max(everySeconds, 0.1))
      }
    })
  }

  test('is none where a recording of a screen pauses, or slides are shown', async () => {
    const pauses = ['-vf', "select='not(between(t,3,5.5)+between(t,7,10))'", '-vsync', 'vfr']
    for (const [name, ...options] of [
      ['screen.ts', ...h264, '-bf', '0', '-g', '25', '-c:a', 'mp2'],
      ['screen.vob', ...mpeg2],
    ] as const) {
      const { times, error } = await decodeUntilFailure(
        await makeClip(inFolder(name), ...withSound, ...pauses, ...options),
      )
      expect(error).toBeUndefined()
      expect(times.length).toBeGreaterThan(6)
    }
    const slides = await makeClip(inFolder('slides.ts'), ...testPicture(80, '160x120', '1/20'), ...h264)
    expect((await decodeUntilFailure(slides)).times).toEqual([0, 20, 40, 60])
  })
})

describe('what is no video', () => {
  const refused = async (file: string, message: RegExp) => {
    for (const call of [
      () => probe(file),
      () => frames(file, { everySeconds: 1, views }).next(),
      () => frame(file, 0),
    ]) {
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(NotAVideoError)
      expect((error as Error).message).toMatch(message)
      expect((error as Error).message).toContain(file)
    }
  }

  test('an empty file', async () => {
    await writeFile(inFolder('empty.mp4'), '')
    await refused(inFolder('empty.mp4'), /got an empty file/)
  })

  test('random bytes', async () => {
    const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) % 251))
    await writeFile(inFolder('random.mp4'), bytes)
    await refused(inFolder('random.mp4'), /Expected a video, got/)
  })

  test('sound alone, also with a cover picture', async () => {
    const sound = ['-f', 'lavfi', '-i', 'sine=duration=1']
    await refused(await makeClip(inFolder('sound.mp4'), ...sound), /Expected a video stream, got audio/)
    await refused(await makeClip(inFolder('sound.wav'), ...sound), /got a file of the kind "wav"/)
    const picture = ['-f', 'lavfi', '-i', 'color=red:size=64x64:rate=1:duration=1']
    const cover = [
      ...sound,
      ...picture,
      '-map',
      '0',
      '-map',
      '1',
      '-c:v',
      'mjpeg',
      '-pix_fmt',
      'yuvj420p',
      '-frames:v',
      '1',
    ]
    await refused(
      await makeClip(inFolder('cover.mp4'), ...cover, '-disposition:v:0', 'attached_pic'),
      /got audio, video/,
    )
  })

  test('a picture', async () => {
    const still = await makeClip(inFolder('still.png'), ...testPicture(1), '-frames:v', '1')
    await refused(still, /Expected a video, got/)
  })

  test('a folder', () => refused(inFolder('.'), /got a folder/))

  test.runIf(process.platform !== 'win32')(
    'a named pipe, a socket, a device, and links to them: none is opened',
    async () => {
      await promisify(execFile)('mkfifo', [inFolder('pipe.mp4')])
      const server = createServer().listen(inFolder('socket.mp4'))
      await once(server, 'listening')
      await symlink(inFolder('pipe.mp4'), inFolder('link.mp4'))
      try {
        await refused(inFolder('pipe.mp4'), /got a named pipe/)
        await refused(inFolder('link.mp4'), /got a named pipe/)
        await refused(inFolder('socket.mp4'), /got a socket/)
        await refused('/dev/zero', /got a device/)
        for (const path of [inFolder('pipe.mp4'), inFolder('link.mp4'), '/dev/zero'])
          await expect(fingerprint(path)).rejects.toThrow(NotAVideoError)
      } finally {
        server.close()
      }
    },
  )

  test('while a link to a video is one', async () => {
    await symlink(whole, inFolder('way.mp4'))
    expect((await frame(inFolder('way.mp4'), 1)).width).toBe(160)
  })
})

test('a file that is missing or may not be read is said to be', async () => {
  const missing = probe(inFolder('missing.mp4'))
  await expect(missing).rejects.toThrow(UnreadableFileError)
  await expect(missing).rejects.toThrow(`There is no file ${inFolder('missing.mp4')}`)
  if (process.getuid?.() === 0) return
  await copyFile(whole, inFolder('secret.mp4'))
  await chmod(inFolder('secret.mp4'), 0)
  await expect(probe(inFolder('secret.mp4'))).rejects.toThrow(/permission denied/)
})
