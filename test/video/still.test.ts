import { beforeAll, describe, expect, test } from 'vitest'
import { frames } from '../../src/video/frames.ts'
import { probe } from '../../src/video/probe.ts'
import { frame } from '../../src/video/still.ts'
import type { Frame } from '../../src/video/video.ts'
import { collect, h264, makeClip, ownTimes, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()

/** Moving noise on a test picture: no two frames look alike. */
const lively = (seconds: number) => [...['-f', 'lavfi', '-i', `testsrc2=size=96x64:rate=25:duration=${seconds}`]]

/** Every frame as one pass decodes it, against the same frame asked for by its time. */
const expectSameAsOnePass = async (file: string, stride: number) => {
  const info = await probe(file)
  const all = await collect(frames(file, { everySeconds: 0, views: [info], info }))
  const shownAt = (time: number): Frame => all.findLast(({ timestampSeconds }) => timestampSeconds <= time) ?? all[0]!
  for (let i = 0; i < all.length; i += stride) {
    const time = all[i]!.timestampSeconds
    const next = all[i + 1]?.timestampSeconds ?? time + 0.5
    const wanted = i % 2 === 0 ? time : (time + next) / 2
    const picture = await frame(file, wanted, { info })
    expect(Buffer.compare(picture.data, shownAt(wanted).views[0]!.data), `the frame at ${wanted} s`).toBe(0)
  }
  const last = all.at(-1)!
  expect(Buffer.compare((await frame(file, last.timestampSeconds + 100)).data, last.views[0]!.data)).toBe(0)
  expect(Buffer.compare((await frame(file, -5)).data, all[0]!.views[0]!.data)).toBe(0)
  return all
}

let whole: string

beforeAll(async () => {
  whole = await makeClip(inFolder('whole.mp4'), ...lively(6), ...h264, '-g', '40', '-bf', '3')
})

describe('the frame that is shown at a time is the one that a whole pass decodes', () => {
  test('with B-frames', async () => {
    await expectSameAsOnePass(whole, 23)
  })

  for (const [name, ...options] of [
    ['copy.mkv'],
    ['copy.ts'],
    ['live.mkv', '-live', '1'],
    ['raw.h264', '-bsf:v', 'h264_mp4toannexb'],
    ['fragments.mp4', '-movflags', 'frag_keyframe+empty_moov'],
    ['offset.mkv', '-output_ts_offset', '11.5'],
    ['offset.mp4', '-output_ts_offset', '11.5'],
    ['offset.ts', '-output_ts_offset', '100'],
  ] as const) {
    test(name, async () => {
      await expectSameAsOnePass(await makeClip(inFolder(name), '-i', whole, '-c', 'copy', ...options), 47)
    })
  }

  test('with a variable frame rate and long pauses', async () => {
    const uneven = "settb=1/1000,setpts='if(lt(N,60),N*40,2400+(N-60)*4000)'"
    const options = ['-vf', uneven, ...(await ownTimes()), ...h264, '-g', '30', '-frames:v', '66']
    await expectSameAsOnePass(await makeClip(inFolder('uneven.mp4'), ...lively(3), ...options), 7)
  })

  test('of other kinds', async () => {
    await expectSameAsOnePass(
      await makeClip(inFolder('mpeg2.mpg'), ...lively(4), '-c:v', 'mpeg2video', '-bf', '2', '-q:v', '3'),
      31,
    )
    await expectSameAsOnePass(
      await makeClip(inFolder('mpeg4.avi'), ...lively(4), '-c:v', 'mpeg4', '-bf', '2', '-q:v', '3'),
      31,
    )
    const refreshed = [...h264, '-x264-params', 'intra-refresh=1:keyint=30']
    await expectSameAsOnePass(await makeClip(inFolder('refresh.mp4'), ...lively(4), ...refreshed), 31)
    await expectSameAsOnePass(
      await makeClip(inFolder('open.ts'), ...lively(4), ...h264, '-x264-params', 'open-gop=1:keyint=30'),
      31,
    )
    await expectSameAsOnePass(await makeClip(inFolder('one.mp4'), ...lively(1), '-frames:v', '1', ...h264), 1)
  })
})

test('a time that was rounded to milliseconds still means its frame', async () => {
  const file = await makeClip(inFolder('ntsc.mp4'), ...testPicture(2, '96x64', '30000/1001'), ...h264)
  const all = await collect(frames(file, { everySeconds: 0, views: [{ width: 96, height: 64 }] }))
  for (const i of [1, 20, 37]) {
    const picture = await frame(file, Number(all[i]!.timestampSeconds.toFixed(3)))
    expect(Buffer.compare(picture.data, all[i]!.views[0]!.data)).toBe(0)
  }
})

test('the picture has the displayed size, or the one asked for', async () => {
  const file = await makeClip(inFolder('wide.mp4'), ...testPicture(1, '160x96'), '-vf', 'setsar=2/1', ...h264)
  const sizeOf = async (options: { width?: number; height?: number }) => {
    const { width, height, data } = await frame(file, 0.5, options)
    expect(data.length).toBe(width * height * 3)
    return [width, height]
  }
  expect(await sizeOf({})).toEqual([320, 96])
  expect(await sizeOf({ width: 160 })).toEqual([160, 48])
  expect(await sizeOf({ height: 192 })).toEqual([640, 192])
  expect(await sizeOf({ width: 50, height: 60 })).toEqual([50, 60])
  await expect(frame(file, 0, { width: 0 })).rejects.toThrow(RangeError)
  await expect(frame(file, Number.NaN)).rejects.toThrow('Expected a time in seconds, got NaN')
})
