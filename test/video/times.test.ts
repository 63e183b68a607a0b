import { readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findTool, isAtLeast } from '../../src/video/ffmpeg.ts'
import { frames } from '../../src/video/frames.ts'
import { probe } from '../../src/video/probe.ts'
import { frame } from '../../src/video/still.ts'
import { collect, colorAt, h264, makeClip, ownTimes, probedTimes, sampled, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()
const views = [{ width: 32, height: 24 }]

const timesOf = async (file: string, everySeconds: number) =>
  (await collect(frames(file, { everySeconds, views }))).map(({ timestampSeconds }) => timestampSeconds)

/** Equal to a nanosecond. */
const expectTimes = (found: readonly number[], wanted: readonly number[]): void => {
  const rounded = (times: readonly number[]) => times.map((time) => Math.round(time * 1e9) / 1e9)
  expect(rounded(found)).toEqual(rounded(wanted))
}

/** Every frame's time, and the sampled ones at several steps, as ffprobe and the rule say. */
const expectOwnTimes = async (file: string, steps: readonly number[] = [0.1, 1, 2.5]) => {
  const times = await probedTimes(file)
  expect(times.length).toBeGreaterThan(0)
  expectTimes(await timesOf(file, 0), times)
  for (const everySeconds of steps) expectTimes(await timesOf(file, everySeconds), sampled(times, everySeconds))
  return times
}

const carried = fileURLToPath(new URL('../clips/', import.meta.url))

describe('the carried clips', async () => {
  for (const name of (await readdir(carried)).filter((each) => !each.endsWith('.tsv'))) {
    test(`${name} has the times that ffprobe tells`, () => expectOwnTimes(carried + name, [1]))
  }
})

test('a variable frame rate keeps each frame at its own time', async () => {
  const uneven = "settb=1/1000,setpts='round(if(lt(N,10),N*0.04,if(lt(N,20),0.4+(N-10)*0.31,3.5+(N-20)*1.7))*1000)'"
  const file = await makeClip(
    inFolder('uneven.mp4'),
    ...testPicture(1),
    '-vf',
    uneven,
    ...(await ownTimes()),
    ...h264,
    '-video_track_timescale',
    '90000',
  )
  const times = await expectOwnTimes(file)
  expect(times.slice(9, 12)).toEqual([0.36, 0.4, 0.71])
  expect((await timesOf(file, 1)).slice(0, 6)).toEqual([0, 1.02, 2.26, 3.5, 5.2, 6.9])
})

test('frames a millisecond apart stay apart', async () => {
  const bursts = "settb=1/1000,setpts='floor(N/5)*900+mod(N,5)'"
  const file = await makeClip(inFolder('bursts.mkv'), ...testPicture(1), '-vf', bursts, ...(await ownTimes()), ...h264)
  const times = await expectOwnTimes(file)
  expect(times.slice(0, 7)).toEqual([0, 0.001, 0.002, 0.003, 0.004, 0.9, 0.901])
})

test('times count from the start of the file, whatever its clock says', async () => {
  const options = [...testPicture(3), ...h264, '-output_ts_offset', '7.3']
  const times = await expectOwnTimes(await makeClip(inFolder('offset.mkv'), ...options))
  expect(times.slice(0, 3)).toEqual([0, 0.04, 0.08])
  for (const [name, offset] of [
    ['offset.ts', '20000'],
    ['offset.mp4', '7.3'],
    ['negative.mkv', '-0.5'],
    ['wrap.ts', '95442'],
  ] as const) {
    const file = await makeClip(inFolder(name), ...testPicture(3), ...h264, '-output_ts_offset', offset)
    expect((await timesOf(file, 1)).map((time) => Number(time.toFixed(3)))).toEqual([0, 1, 2])
    expect((await probe(file)).startSeconds).toBe(0)
    expect(await frame(file, 2, { width: 32 })).toEqual(await frame(file, 2.02, { width: 32 }))
  }
})

test('where the sound begins first, the picture begins later than 0', async () => {
  const late = ['-vf', 'setpts=PTS+0.6/TB', ...h264, '-g', '10']
  for (const name of ['late.mp4', 'late.mkv', 'late.ts', 'late.flv']) {
    const sound = ['-f', 'lavfi', '-i', 'sine=duration=4', '-c:a', name === 'late.ts' ? 'mp2' : 'aac']
    const file = await makeClip(inFolder(name), ...testPicture(3), ...sound, ...late)
    const times = await expectOwnTimes(file)
    // Encoders of sound may begin some hundredths of a second before it.
    expect(times[0]).toBeGreaterThan(0.59)
    expect(times[0]).toBeLessThan(0.66)
    expect((await probe(file)).startSeconds).toBeCloseTo(times[0]!, 6)
  }
})

test('a step that falls a rounding error short still counts', async () => {
  const options = ['-vf', 'settb=1/1000,setpts=PTS+33', ...(await ownTimes()), ...h264]
  const file = await makeClip(inFolder('033.mkv'), ...testPicture(4), ...options)
  expect(await timesOf(file, 1)).toEqual([0, 1, 2, 3])
})

test('29.97 frames a second drift away from whole seconds', async () => {
  const file = await makeClip(inFolder('ntsc.mp4'), ...testPicture(5, '160x120', '30000/1001'), ...h264)
  await expectOwnTimes(file)
  expect(await timesOf(file, 1)).toEqual([0, 1.001, 2.002, 3.003, 4.004])
})

test('B-frames come in the order of display', async () => {
  const file = await makeClip(inFolder('b.mp4'), ...testPicture(3), ...h264, '-bf', '3', '-g', '40')
  const times = await expectOwnTimes(file)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(times).toHaveLength(75)
})

test('a single frame is a video', async () => {
  const file = await makeClip(inFolder('one.mp4'), ...testPicture(1), '-frames:v', '1', ...h264)
  expect(await timesOf(file, 1)).toEqual([0])
})

test('a long pause before the last frame, or after it, is no damage', async () => {
  const late = "settb=1/1000,setpts='if(gt(N,20),N*40+60000,N*40)'"
  const file = await makeClip(inFolder('pause.mp4'), ...testPicture(1), '-vf', late, ...(await ownTimes()), ...h264)
  expect(await timesOf(file, 1)).toEqual([0, 60.84])
  const longSound = ['-f', 'lavfi', '-i', 'sine=duration=9', ...h264]
  for (const name of ['sound.mp4', 'sound.mkv', 'sound.avi', 'sound.ts', 'sound.flv']) {
    const sounding = await makeClip(inFolder(name), ...testPicture(3), ...longSound)
    expect(await timesOf(sounding, 1), name).toHaveLength(3)
  }
  const windows = await makeClip(inFolder('sound.wmv'), ...testPicture(3), '-f', 'lavfi', '-i', 'sine=duration=9')
  expect(await timesOf(windows, 1)).toHaveLength(3)
})

test('a picture every two, five or ten seconds is no damage', async () => {
  for (const seconds of [2, 5, 10]) {
    const file = await makeClip(
      inFolder(`every ${seconds}.mp4`),
      ...testPicture(8 * seconds, '64x48', `1/${seconds}`),
      ...h264,
    )
    const times = Array.from({ length: 8 }, (_, i) => i * seconds)
    expect(await timesOf(file, 1)).toEqual(times)
    expect(await timesOf(file, 0)).toEqual(times)
  }
})

test('an hour or a day between two pictures is no damage', async () => {
  const slow = ['-vf', "settb=1,setpts='if(eq(N,2),90000,N*3600)'", '-t', '100000', '-c:v', 'ffv1']
  const file = await makeClip(inFolder('slow.mkv'), ...testPicture(3, '64x48', '1'), ...slow, ...(await ownTimes()))
  expect(await timesOf(file, 1)).toEqual([0, 3600, 90_000])
})

describe('a video without a container has the times of its frame rate', () => {
  const times = Array.from({ length: 10 }, (_, i) => i / 25)

  test.each([
    ['mjpeg', ['-c:v', 'mjpeg', '-f', 'mjpeg']],
    ['mjpg', ['-c:v', 'mjpeg', '-f', 'mjpeg']],
    ['h264', [...h264, '-f', 'h264']],
    ['264', [...h264, '-f', 'h264']],
    ['m4v', ['-c:v', 'mpeg4', '-f', 'm4v']],
  ])('.%s', async (ending, options) => {
    const file = await makeClip(inFolder(`bare.${ending}`), ...testPicture(0.4), ...options)
    expect(await timesOf(file, 0)).toEqual(times)
    expect((await probe(file)).durationSeconds).toBeUndefined()
  })

  test('and its length is not guessed from its bit rate', async () => {
    const options = [
      '-c:v',
      'mpeg2video',
      '-b:v',
      '8M',
      '-maxrate',
      '8M',
      '-minrate',
      '8M',
      '-bufsize',
      '2M',
      '-g',
      '500',
    ]
    const file = await makeClip(inFolder('bare.m2v'), ...testPicture(3), ...options)
    const bytes = await readFile(file)
    // 18 bits behind the size and the frame rate: a quarter of the true rate would mean four times the length.
    const at = bytes.indexOf(Buffer.from([0, 0, 1, 0xb3])) + 8
    const rate = (bytes.readUInt32BE(at) >>> 14) / 4
    bytes.writeUInt32BE(((rate << 14) | (bytes.readUInt32BE(at) & 0x3fff)) >>> 0, at)
    await writeFile(file, bytes)
    expect(await timesOf(file, 0)).toHaveLength(75)
    expect((await probe(file)).durationSeconds).toBeUndefined()
  })
})

test('the end of a GXF file, which its reader takes for an error, is no damage', async () => {
  const source = ['-f', 'lavfi', '-i', 'testsrc=size=720x576:rate=25:duration=1', '-c:v', 'mpeg2video']
  expect(await timesOf(await makeClip(inFolder('studio.gxf'), ...source, '-f', 'gxf'), 0)).toHaveLength(25)
})

test('files without a length in their header are read to the end', async () => {
  const source = await makeClip(inFolder('source.mp4'), ...testPicture(4), ...h264)
  const copy = ['-i', source, '-c', 'copy']
  const raw = await makeClip(inFolder('raw.h264'), ...copy, '-bsf:v', 'h264_mp4toannexb')
  const live = await makeClip(inFolder('live.mkv'), ...copy, '-live', '1')
  const fragmented = await makeClip(inFolder('frag.mp4'), ...copy, '-movflags', 'frag_keyframe+empty_moov')
  expect((await probe(raw)).durationSeconds).toBeUndefined()
  expect((await probe(live)).durationSeconds).toBeUndefined()
  expect(await timesOf(raw, 1)).toHaveLength(4)
  await expectOwnTimes(live)
  await expectOwnTimes(fragmented)
})

test('a change of size midway changes neither the rule nor the pictures', async () => {
  const part = (size: string, color: string, offset: string) => [
    ...['-f', 'lavfi', '-i', `color=${color}:size=${size}:rate=25:duration=2.2`, ...h264, '-output_ts_offset', offset],
  ]
  const first = await makeClip(inFolder('small.ts'), ...part('160x120', 'red', '0'))
  const second = await makeClip(inFolder('large.ts'), ...part('640x480', 'blue', '2.2'))
  await writeFile(inFolder('both.ts'), Buffer.concat([await readFile(first), await readFile(second)]))
  const found = await collect(
    frames(inFolder('both.ts'), { everySeconds: 1, views: [...views, { width: 10, height: 20 }] }),
  )
  const start = found[0]!.timestampSeconds
  expect(found.map(({ timestampSeconds }) => Math.round((timestampSeconds - start) * 1000))).toEqual([
    0, 1000, 2000, 3000, 4000,
  ])
  for (const [i, frame] of found.entries()) {
    for (const picture of frame.views) {
      const [red, green, blue] = colorAt(picture, 0.5, 0.5)
      expect(green).toBeLessThan(6)
      expect(i < 3 ? red : blue).toBeGreaterThan(248)
      expect(i < 3 ? blue : red).toBeLessThan(6)
    }
  }
})

describe('recordings that were joined run on where the clock begins again', () => {
  const lively = ['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=25:duration=4']
  const joined = async (name: string, kind: string, ...parts: readonly (readonly string[])[]) => {
    const made = await Promise.all(
      parts.map((options, i) => makeClip(inFolder(`${name}-${i}.${kind}`), ...lively, ...options)),
    )
    const file = inFolder(`${name}.${kind}`)
    await writeFile(file, Buffer.concat(await Promise.all(made.map((part) => readFile(part)))))
    return file
  }
  const at = (seconds: number) => [...h264, '-g', '25', '-output_ts_offset', `${seconds}`]
  const mpeg2 = ['-c:v', 'mpeg2video', '-q:v', '3']

  for (const [name, kind, ...parts] of [
    ['the same twice', 'ts', at(0), at(0)],
    ['an earlier clock', 'ts', at(20_000), at(0)],
    ['a later clock', 'ts', at(0), at(20_000), at(500)],
    ['a program stream', 'mpg', mpeg2, mpeg2],
    ['a DVD', 'vob', mpeg2, mpeg2],
  ] as const) {
    test(name, async () => {
      const file = await joined(name, kind, ...parts)
      const all = await collect(frames(file, { everySeconds: 0, views }))
      expect(all).toHaveLength(100 * parts.length)
      expectTimes(
        all.map(({ timestampSeconds }) => timestampSeconds),
        all.map((_, i) => i / 25),
      )
      const seconds = Array.from({ length: 4 * parts.length }, (_, i) => i)
      for (const decode of ['all', 'references'] as const) {
        const found = await collect(frames(file, { everySeconds: 1, views, decode }))
        expectTimes(
          found.map(({ timestampSeconds }) => timestampSeconds),
          seconds,
        )
      }
      for (const { timestampSeconds } of await collect(frames(file, { everySeconds: 1, views, decode: 'keys' })))
        expect((timestampSeconds * 25) % 1).toBeCloseTo(0, 6)
      for (const i of [30, 130]) expect(await frame(file, i / 25, { width: 32, height: 24 })).toEqual(all[i]!.views[0])
    })
  }
})

test('times that begin again in a file with an index are reported, not passed over', async () => {
  const part = await readFile(await makeClip(inFolder('part.mkv'), ...testPicture(4), '-c:v', 'mjpeg'))
  await writeFile(inFolder('twice.mkv'), Buffer.concat([part, part]))
  // Older ones do not read on after the end of the first part.
  if (!isAtLeast(await findTool('ffmpeg'), 59, 0)) return
  await expect(timesOf(inFolder('twice.mkv'), 1)).rejects.toThrow(/its times begin again at 0\.0 s/)
})
