import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { frames } from '../../src/video/frames.ts'
import { probe } from '../../src/video/probe.ts'
import { frame } from '../../src/video/still.ts'
import { collect, colorAt, difference, h264, makeClip, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()

const color = (name: string, size: string, seconds = 2) => [
  ...['-f', 'lavfi', '-i', `color=${name}:size=${size}:rate=10:duration=${seconds}`],
]

/** What is known of the video, decoded from it, and shown as a still is all of one stream. */
const expectShown = async (file: string, size: readonly [number, number], levels: readonly number[]) => {
  const info = await probe(file)
  expect([info.width, info.height]).toEqual(size)
  const [first] = await collect(frames(file, { everySeconds: 5, views: [{ width: 16, height: 16 }] }))
  for (const picture of [first!.views[0]!, await frame(file, 1)])
    expect(difference(colorAt(picture, 0.5, 0.5), levels).largest).toBeLessThan(8)
}

describe('of several video streams', () => {
  const small = color('red', '64x36')
  const large = color('blue', '160x90')
  const both = [...small, ...large, '-map', '0', '-map', '1', ...h264]
  const blue = [0, 0, 255]
  const red = [255, 0, 0]

  test('the one that is marked as the default is taken', async () => {
    const marked = (first: string, second: string) => ['-disposition:v:0', first, '-disposition:v:1', second]
    const second = await makeClip(inFolder('second.mkv'), ...both, ...marked('0', 'default'))
    await expectShown(second, [160, 90], blue)
    const first = await makeClip(inFolder('first.mkv'), ...both, ...marked('default', '0'))
    await expectShown(first, [64, 36], red)
  })

  test('else the largest', async () => {
    for (const name of ['both.mkv', 'both.mp4', 'both.mov', 'none.ts']) {
      const mark = name === 'none.ts' ? '0' : 'default'
      const file = await makeClip(inFolder(name), ...both, '-disposition:v:0', mark, '-disposition:v:1', mark)
      await expectShown(file, [160, 90], blue)
    }
  })

  test('never a cover picture, be it larger', async () => {
    const cover = ['-c:v:1', 'mjpeg', '-pix_fmt:v:1', 'yuvj420p', '-frames:v:1', '1']
    const attached = [...cover, '-disposition:v:0', '0', '-disposition:v:1', 'attached_pic']
    await expectShown(await makeClip(inFolder('cover.mp4'), ...both, ...attached), [64, 36], red)
  })
})

describe('a transport stream whose picture begins late', () => {
  const packetBytes = 188

  test('as its recording began just after a key frame', async () => {
    const lively = ['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=25:duration=24']
    const whole = await makeClip(inFolder('whole.ts'), ...lively, ...h264, '-g', '250', '-sc_threshold', '0')
    const bytes = await readFile(whole)
    const packets = Array.from({ length: bytes.length / packetBytes }, (_, i) =>
      bytes.subarray(i * packetBytes, (i + 1) * packetBytes),
    )
    const idOf = (packet: Buffer) => packet.readUInt16BE(1) & 0x1fff
    const key = packets.findIndex((packet) => packet[3]! & 0x20 && packet[4]! > 0 && packet[5]! & 0x40)
    const next = packets.findIndex(
      (packet, i) => i > key && idOf(packet) === idOf(packets[key]!) && (packet[1]! & 0x40) !== 0,
    )
    const late = inFolder('late.ts')
    await writeFile(late, Buffer.concat([...packets.slice(0, key), ...packets.slice(next)]))
    expect(await probe(late)).toMatchObject({ width: 160, height: 120, codec: 'h264' })
    const times = (await collect(frames(late, { everySeconds: 1, views: [{ width: 16, height: 12 }] }))).map(
      ({ timestampSeconds }) => Math.round(timestampSeconds),
    )
    expect(times.length).toBeGreaterThan(12)
    expect(times.at(-1)! - times[0]!).toBe(times.length - 1)
  })

  test.each(['mp2', 'ac3'])('as its sound begins 14 seconds earlier (%s)', async (sound) => {
    const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=3']
    const options = ['-f', 'lavfi', '-i', 'sine=duration=17', '-filter_complex', '[0]setpts=PTS+14/TB[v]']
    const maps = ['-map', '[v]', '-map', '1', ...h264, '-c:a', sound]
    const file = await makeClip(inFolder(`${sound}.ts`), ...picture, ...options, ...maps)
    const info = await probe(file)
    expect(info.startSeconds).toBeCloseTo(14, 1)
    const found = await collect(frames(file, { everySeconds: 1, views: [info], info }))
    expect(found.map(({ timestampSeconds }) => Math.round(timestampSeconds))).toEqual([14, 15, 16])
    expect(await frame(file, found[1]!.timestampSeconds)).toEqual(found[1]!.views[0])
  })
})

describe('the time of a recording', () => {
  test.each([
    ['in UTC', { creation_time: '2024-06-01T12:30:00.000000Z' }, '2024-06-01T12:30:00.000Z'],
    ['never set: 1904', { creation_time: '1904-01-01T00:00:00.000000Z' }, undefined],
    ['never set: 1970', { creation_time: '1970-01-01T00:00:00.000000Z' }, undefined],
    ['in the future', { creation_time: '2100-01-01T00:00:00.000000Z' }, undefined],
    [
      'with its time zone, as Apple writes it',
      { 'com.apple.quicktime.creationdate': '2023-05-06T07:08:09+0200', creation_time: '2024-06-01T12:30:00.000000Z' },
      '2023-05-06T05:08:09.000Z',
    ],
    ['not said', {}, undefined],
  ])('is read where the file says it believably: %s', async (name, tags, expected) => {
    const metadata = Object.entries(tags).flatMap(([tag, value]) => ['-metadata', `${tag}=${value}`])
    const keys = ['-movflags', 'use_metadata_tags']
    const file = await makeClip(inFolder(`${name.slice(0, 9)}.mp4`), ...testPicture(0.2), ...h264, ...metadata, ...keys)
    expect((await probe(file)).recordedAt).toBe(expected)
  })
})
