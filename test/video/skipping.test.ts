import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { openDecoder } from '../../src/video/decoder.ts'
import { findTool } from '../../src/video/ffmpeg.ts'
import { frames } from '../../src/video/frames.ts'
import { streamInfo } from '../../src/video/probe.ts'
import { dueKeys } from '../../src/video/sampling.ts'
import { DamagedVideoError, type DecodedFrames, type Picture } from '../../src/video/video.ts'
import { collect, h264, makeClip, probedTimes, sampled, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()
const views = [{ width: 64, height: 48 }]
const clip = (name: string) => fileURLToPath(new URL(`../clips/${name}`, import.meta.url))

const taken = (file: string, decode: DecodedFrames, everySeconds = 1) =>
  collect(frames(file, { everySeconds, views, decode }))

const timesOf = (all: readonly { timestampSeconds: number }[]) => all.map(({ timestampSeconds }) => timestampSeconds)

/** Byte for byte: `toEqual` looks at each of them for a while. */
const expectSame = (found?: Picture, wanted?: Picture): void =>
  expect(Buffer.compare(found!.data, wanted!.data)).toBe(0)

/** Times of the key frames in seconds from the start of the file. */
const keyTimes = async (file: string): Promise<readonly number[]> => {
  const { path } = await findTool('ffprobe')
  const entries = 'packet=pts_time,flags:format=start_time'
  const options = ['-v', 'error', '-select_streams', 'v:0', '-show_entries', entries, '-of', 'json']
  const { stdout } = await promisify(execFile)(path, [...options, file])
  const { packets, format } = JSON.parse(stdout) as {
    packets: { pts_time: string; flags: string }[]
    format: { start_time?: string }
  }
  const times = packets.filter(({ flags }) => flags.startsWith('K')).map(({ pts_time }) => Number(pts_time))
  return times.map((time) => Number((time - Number(format.start_time ?? 0)).toFixed(6))).sort((a, b) => a - b)
}

describe('decoding reference frames alone', () => {
  test.each(['earth.mp4', 'street.mp4'])(
    'of %s hands out true frames, a second apart and a quarter of one late at most',
    async (name) => {
      const all = await taken(clip(name), 'all', 0)
      const times = new Map(all.map((frame) => [frame.timestampSeconds, frame]))
      const some = await taken(clip(name), 'references')
      expect(some.length).toBeGreaterThan(2)
      let last: number | undefined
      for (const { timestampSeconds, views } of some) {
        expectSame(views[0], times.get(timestampSeconds)?.views[0])
        if (last !== undefined) {
          expect(Math.floor(timestampSeconds + 1e-6)).toBe(Math.floor(last + 1e-6) + 1)
          expect(timestampSeconds % 1).toBeLessThan(0.3)
        }
        last = timestampSeconds
      }
    },
  )

  test('passes over those that nothing refers to: here three of four', async () => {
    const pattern = ['-x264-params', 'b-adapt=0:bframes=3:b-pyramid=none:scenecut=0']
    const file = await makeClip(inFolder('dense.mp4'), ...testPicture(4, '160x120', '25'), ...h264, ...pattern)
    expect(timesOf(await taken(file, 'all'))).toEqual([0, 1, 2, 3])
    expect(timesOf(await taken(file, 'references'))).toEqual([0, 1.12, 2.08, 3.04])
  })

  test('takes every frame into account where they lie far apart, or unevenly', async () => {
    const sparse = await makeClip(inFolder('sparse.mp4'), ...testPicture(8, '160x120', '4'), ...h264, '-bf', '3')
    expect(timesOf(await taken(sparse, 'references'))).toEqual(timesOf(await taken(sparse, 'all')))
    const drop = ['-vf', "select='lt(n,30)+not(mod(n,20))'", '-vsync', 'vfr']
    const uneven = await makeClip(inFolder('uneven.mkv'), ...testPicture(8, '160x120', '25'), ...drop, ...h264)
    expect(timesOf(await taken(uneven, 'references'))).toEqual(timesOf(await taken(uneven, 'all')))
    expect(timesOf(await taken(sparse, 'references', 0))).toEqual(await probedTimes(sparse))
  })
})

describe('decoding key frames alone', () => {
  test.each(['earth.mp4', 'bunny.mp4', 'city.mpg'])('of %s hands out those that the step allows', async (name) => {
    const all = new Map((await taken(clip(name), 'all', 0)).map((frame) => [frame.timestampSeconds.toFixed(5), frame]))
    const keys = await taken(clip(name), 'keys')
    expect(keys.map(({ timestampSeconds }) => timestampSeconds.toFixed(5))).toEqual(
      sampled(await keyTimes(clip(name)), 1).map((time) => time.toFixed(5)),
    )
    for (const { timestampSeconds, views } of keys) expectSame(views[0], all.get(timestampSeconds.toFixed(5))?.views[0])
  })

  test.each(['mp4', 'mkv', 'ts', 'avi'])('works in %s with one key frame every two seconds', async (kind) => {
    const options = [...testPicture(9), ...h264, '-bf', '0', '-g', '50', '-sc_threshold', '0']
    const keys = await taken(await makeClip(inFolder(`keys.${kind}`), ...options), 'keys')
    expect(keys).toHaveLength(5)
    for (const [i, { timestampSeconds }] of keys.entries())
      expect(timestampSeconds - keys[0]!.timestampSeconds).toBeCloseTo(2 * i, 2)
  })

  test.each(['mp4', 'mov', 'mkv'])(
    'gives each its own time where frames are stored in another order (%s)',
    async (kind) => {
      const pattern = ['-x264-params', 'b-adapt=0:bframes=3:b-pyramid=none:open-gop=0:scenecut=0', '-g', '10']
      const file = await makeClip(inFolder(`order.${kind}`), ...testPicture(9, '64x48', '10'), ...h264, ...pattern)
      expect(timesOf(await taken(file, 'keys'))).toEqual(await keyTimes(file))
    },
  )

  test.each(['mp4', 'mkv', 'avi', 'ts', 'flv', 'wmv', 'mpg'])(
    'takes a %s whose last key frame lies far from its end for whole, with sound that goes on too',
    async (kind) => {
      const codec = kind === 'mpg' ? ['-c:v', 'mpeg2video'] : kind === 'wmv' ? ['-c:v', 'wmv2'] : [...h264]
      const pattern = [...codec, '-g', '50', '-sc_threshold', kind === 'mpg' || kind === 'wmv' ? '1000000000' : '0']
      const sound = ['-f', 'lavfi', '-i', 'sine=duration=12']
      const file = await makeClip(inFolder(`far.${kind}`), ...testPicture(9.8, '64x48', '10'), ...sound, ...pattern)
      expect((await taken(file, 'keys')).map(({ timestampSeconds }) => Math.round(timestampSeconds))).toEqual([0, 5])
    },
  )

  test('takes one key frame for a whole video, and a cut-off one for cut off', async () => {
    const options = [...testPicture(12), ...h264, '-g', '1000', '-sc_threshold', '0', '-movflags', '+faststart']
    const file = await makeClip(inFolder('single.mp4'), ...options)
    expect(timesOf(await taken(file, 'keys'))).toEqual([0])
    const bytes = await readFile(file)
    await writeFile(inFolder('cut.mp4'), bytes.subarray(0, bytes.length * 0.6))
    await expect(taken(inFolder('cut.mp4'), 'keys')).rejects.toThrow(DamagedVideoError)
  })
})

describe('a file whose key frames are all that is due', () => {
  const options = [...h264, '-sc_threshold', '0', '-bf', '2', '-x264-params', 'open-gop=0']
  const due = async (file: string, everySeconds = 1) =>
    dueKeys(await streamInfo(file, undefined, {}), everySeconds, 'references')

  test.each(['mp4', 'mkv'])('is told by its packets, and gives the very same frames (%s)', async (kind) => {
    const file = inFolder(`camera.${kind}`)
    await makeClip(file, ...testPicture(65, '64x48', '10'), ...options, '-g', '10')
    expect((await due(file))?.length).toBe(65)
    expect((await due(file, 2))?.length).toBe(33)
    expect(await due(file, 0.5)).toBeUndefined()
    const [found, all] = [await taken(file, 'references'), await taken(file, 'all', 0)]
    expect(timesOf(found)).toEqual(sampled(timesOf(all), 1))
    const pictures = new Map(all.map(({ timestampSeconds, views }) => [timestampSeconds, views[0]]))
    for (const { timestampSeconds, views } of found) expectSame(views[0], pictures.get(timestampSeconds))
  })

  test('is not taken for one when a key frame is missing late in it', async () => {
    const forced = ['-g', '1000', '-force_key_frames', 'expr:lt(t,70)*gte(t,n_forced)+gte(t,72)*gte(t,n_forced+2)']
    const file = await makeClip(inFolder('late.mp4'), ...testPicture(80, '64x48', '10'), ...options, ...forced)
    expect(await due(file)).toBeUndefined()
    expect(await taken(file, 'references')).toHaveLength(80)
  })

  test('is decoded as a whole from where it turns out damaged', async () => {
    const file = inFolder('broken camera.mp4')
    await makeClip(file, ...testPicture(65, '64x48', '10'), ...options, '-g', '10', '-movflags', '+faststart')
    const bytes = await readFile(file)
    await writeFile(file, bytes.subarray(0, bytes.length * 0.7))
    const found: number[] = []
    const run = async () => {
      for await (const { timestampSeconds } of frames(file, { everySeconds: 1, views, decode: 'references' }))
        found.push(timestampSeconds)
    }
    await expect(run()).rejects.toThrow(DamagedVideoError)
    expect(found.length).toBeGreaterThan(30)
    expect(found).toEqual([...new Set(found)].sort((a, b) => a - b))
  })
})

describe('hardware that cannot be had', () => {
  /** Whether hardware decodes this file, as the decoder itself says: it hands out a pixel format of its own then. */
  const isDecodedInHardware = async (file: string): Promise<boolean> => {
    const stream = await streamInfo(file, undefined, {})
    const decoder = openDecoder({ stream, views, hwaccel: 'auto' })
    for await (const { done } of decoder.frames) done()
    const { decodedAs } = decoder.outcome().hardware
    expect(decodedAs).toMatch(/^\w+$/)
    return decodedAs !== stream.pixelFormat
  }

  /** All frames that are due are key frames: they are decoded alone. */
  const camera = () =>
    makeClip(inFolder('due keys.mp4'), ...testPicture(65, '64x48', '10'), ...h264, '-g', '10', '-sc_threshold', '0')

  test.each([
    ['a file', async () => clip('earth.mp4')],
    ['one whose key frames are all that is due', camera],
  ])('is named where it was asked for, and the frames of %s are the same', async (_, make) => {
    const file = await make()
    const wanted = timesOf(await taken(file, 'references'))
    const isHardware = await isDecodedInHardware(file)
    for (const hwaccel of ['no such thing', 'auto']) {
      const reasons: string[] = []
      const onSoftware = (reason: string) => void reasons.push(reason)
      const found = await collect(frames(file, { everySeconds: 1, views, decode: 'references', hwaccel, onSoftware }))
      expect(timesOf(found)).toEqual(wanted)
      if (hwaccel === 'auto' && isHardware) expect(reasons).toEqual([])
      else expect(reasons).toEqual([expect.stringMatching(/\S/)])
    }
  })

  test('does not make a damaged file sound', async () => {
    const bytes = await readFile(clip('earth.mp4'))
    await writeFile(inFolder('half.mp4'), bytes.subarray(0, bytes.length / 2))
    const run = collect(frames(inFolder('half.mp4'), { everySeconds: 1, views, hwaccel: 'auto' }))
    await expect(run).rejects.toThrow()
  })
})
