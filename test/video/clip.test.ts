import { writeFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { type ClipMode, cut } from '../../src/video/clip.ts'
import { preview } from '../../src/video/preview.ts'
import { streamInfo } from '../../src/video/probe.ts'
import { frame } from '../../src/video/still.ts'
import { difference, h264, makeClip, ownTimes, probedTimes, runningTools, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()
const size = { width: 160, height: 120 }

/** Pictures of a brightness of their own each: that of the next frame is 37 levels away, or more. */
const flicker = (seconds: number): readonly string[] => [
  ...['-f', 'lavfi', '-i', `nullsrc=size=160x120:rate=25:duration=${seconds},geq=lum='16+mod(N*37,200)':cb=128:cr=128`],
]

const everySecond = ['-x264-params', 'keyint=25:bframes=2:b-adapt=0:scenecut=0'] as const

/** Six seconds with sound, and a key frame each second; from the one to the next, two of three frames need a later one. */
let video: string
beforeAll(async () => {
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=6', '-c:a', 'aac']
  video = await makeClip(inFolder('a.mp4'), ...flicker(6), ...sound, ...h264, ...everySecond)
})

/** How far a frame of a clip is from that of the video which it should be, in levels of 255. */
const distance = async (clip: string, clipSeconds: number, original: string, seconds: number): Promise<number> => {
  const [is, should] = await Promise.all([frame(clip, clipSeconds, size), frame(original, seconds, size)])
  return difference(is.data, should.data).mean
}

/** Encoded again it is as near as this, in levels of 255; the next frame is further away. */
const near = 4

describe('a clip', () => {
  it.each<[string, ClipMode, number, number, object, number]>([
    ['is copied from key frame to key frame', 'auto', 2, 4, { mode: 'copy', fromSeconds: 2, toSeconds: 4 }, 50],
    [
      'up to the end, however far that was asked for',
      'auto',
      5,
      20,
      { mode: 'copy', fromSeconds: 5, toSeconds: 6 },
      25,
    ],
    ['is encoded where it begins elsewhere', 'auto', 1.48, 2, { mode: 'encode', fromSeconds: 1.48 }, 13],
    ['is encoded where a frame at its end needs one after it', 'auto', 2, 3.44, { mode: 'encode', fromSeconds: 2 }, 36],
    ['begins with the frame that is shown', 'auto', 1.515, 2.5, { mode: 'encode', fromSeconds: 1.48 }, 26],
    ['is copied from the key frame before, if that is asked for', 'copy', 1.5, 3, { mode: 'copy', fromSeconds: 1 }, 50],
    ['is encoded, if that is asked for', 'encode', 2, 2.2, { mode: 'encode', fromSeconds: 2, toSeconds: 2.2 }, 5],
  ])('%s', async (name, mode, fromSeconds, toSeconds, expected, frames) => {
    const file = inFolder(`${name}.mp4`)
    const made = await cut(video, { file, mode, fromSeconds, toSeconds })
    expect(made).toMatchObject(expected)
    const times = await probedTimes(file)
    expect(times).toHaveLength(frames)
    const last = times.at(-1)!
    for (const seconds of [times[0]!, last]) {
      expect(await distance(file, seconds, video, made.fromSeconds + seconds)).toBeLessThan(near)
    }
    expect((await streamInfo(file, undefined, {})).sound).toMatchObject([{ codec: 'aac' }])
  })

  it('holds a slide that is shown since long before', async () => {
    const slides = ['-vf', "select='not(mod(n,75))'", ...(await ownTimes())]
    const file = await makeClip(inFolder('slides.mkv'), ...flicker(9), ...slides, ...h264)
    const made = await cut(file, { file: inFolder('slide.mp4'), fromSeconds: 4, toSeconds: 6.5 })
    expect(made).toMatchObject({ mode: 'encode', fromSeconds: 4 })
    expect(await distance(inFolder('slide.mp4'), 0, file, 3)).toBeLessThan(near)
    expect(await distance(inFolder('slide.mp4'), 1.9, file, 3)).toBeLessThan(near)
    expect(await distance(inFolder('slide.mp4'), 2, file, 6)).toBeLessThan(near)
  })

  it('is as the video is displayed: turned, and with square pixels', async () => {
    const wide = ['-vf', 'setsar=4/3', '-metadata:s:v', 'rotate=90']
    const flat = await makeClip(inFolder('flat.mp4'), ...testPicture(2), ...wide, ...h264, '-g', '25')
    const turned = await makeClip(inFolder('turned.mov'), '-i', flat, '-c', 'copy', '-metadata:s:v', 'rotate=90')
    for (const fromSeconds of [1, 1.2]) {
      const file = inFolder(`turned ${fromSeconds}.mp4`)
      await cut(turned, { file, fromSeconds, toSeconds: 2 })
      expect(await streamInfo(file, undefined, {})).toMatchObject({ width: 120, height: fromSeconds === 1 ? 213 : 214 })
      expect(await distance(file, 0, turned, fromSeconds)).toBeLessThan(near)
    }
  })

  it('is found in a broadcast, whose key frames cannot be looked up', async () => {
    const broadcast = await makeClip(inFolder('a.ts'), '-i', video, '-c', 'copy')
    const made = await cut(broadcast, { file: inFolder('b.mp4'), fromSeconds: 3.3, toSeconds: 4 })
    expect(made.mode).toBe('encode')
    expect(await distance(inFolder('b.mp4'), 0, broadcast, 3.3)).toBeLessThan(near)
  })

  it('goes on with the time code of the video', async () => {
    const coded = await makeClip(inFolder('coded.mov'), '-i', video, '-c', 'copy', '-timecode', '10:00:00:00')
    await cut(coded, { file: inFolder('c.mov'), fromSeconds: 2.2, toSeconds: 3 })
    expect((await streamInfo(inFolder('c.mov'), undefined, {})).timecode).toBe('10:00:02:05')
  })

  it.each([
    ['a time before the start', -1, 2, /begin at 0 seconds or later, got -1/],
    ['an end before the beginning', 3, 2, /end after 00:00:03\.000/],
    ['no length', 3, 3, /end after/],
    ['a time after the end', 7, 8, /begin before the video ends at 00:00:06\.000, got 00:00:07\.000/],
    ['no number', Number.NaN, 8, /got NaN/],
  ])('is refused for %s', async (_, fromSeconds, toSeconds, message) => {
    const refusal = { code: 'usage', message: expect.stringMatching(message) }
    await expect(cut(video, { file: inFolder('x.mp4'), fromSeconds, toSeconds })).rejects.toMatchObject(refusal)
    await expect(preview(video, { fromSeconds, toSeconds })).rejects.toMatchObject(refusal)
  })

  it('is not copied where the container does not take it', async () => {
    const mpeg = await makeClip(inFolder('a.avi'), ...testPicture(1), '-c:v', 'mjpeg')
    await expect(
      cut(mpeg, { file: inFolder('x.mp4'), mode: 'copy', fromSeconds: 0, toSeconds: 1 }),
    ).rejects.toMatchObject({ code: 'usage', message: expect.stringMatching(/got mjpeg/) })
  })

  it('ends ffmpeg when it is not wanted any more', async () => {
    const leave = new AbortController()
    const made = cut(video, { file: inFolder('x.mp4'), fromSeconds: 0.5, toSeconds: 6, signal: leave.signal })
    await Promise.all([expect(made).rejects.toThrow('enough'), pause(150).then(() => leave.abort(new Error('enough')))])
    expect(await runningTools()).toEqual([])
  })
})

describe('a preview', () => {
  it('is MP4 that begins with the frame asked for, as wide as asked for', async () => {
    const made = await buffer(await preview(video, { fromSeconds: 1.48, toSeconds: 3, widthPixels: 120 }))
    await writeFile(inFolder('p.mp4'), made)
    expect(made.subarray(4, 8).toString()).toBe('ftyp')
    expect(made.includes('moof')).toBe(true)
    expect(await streamInfo(inFolder('p.mp4'), undefined, {})).toMatchObject({ width: 120, height: 90, codec: 'h264' })
    expect(await probedTimes(inFolder('p.mp4'))).toHaveLength(38)
    expect(await distance(inFolder('p.mp4'), 0, video, 1.48)).toBeLessThan(near)
  })

  it('ends ffmpeg when it is left unread', async () => {
    const stream = await preview(video, { fromSeconds: 0, toSeconds: 6 })
    stream.destroy()
    await expect.poll(runningTools).toEqual([])
  })

  it('says what is wrong before it begins', async () => {
    await writeFile(inFolder('text.mp4'), 'text')
    await expect(preview(inFolder('text.mp4'), { fromSeconds: 0, toSeconds: 1 })).rejects.toMatchObject({
      code: 'not-a-video',
    })
  })
})
