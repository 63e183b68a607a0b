import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { frames } from '../../src/video/frames.ts'
import { probe } from '../../src/video/probe.ts'
import { frame } from '../../src/video/still.ts'
import { h264, makeClip, runningTools, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()
const options = {
  everySeconds: 0,
  views: [
    { width: 320, height: 240 },
    { width: 32, height: 24 },
  ],
}
let long: string

beforeAll(async () => {
  long = await makeClip(inFolder('long.mp4'), ...testPicture(20), ...h264)
})

test('leaving the loop ends ffmpeg', async () => {
  let seen = 0
  for await (const _ of frames(long, options)) {
    if (seen === 0) expect(await runningTools()).toHaveLength(1)
    if (++seen === 3) break
  }
  expect(seen).toBe(3)
  expect(await runningTools()).toEqual([])
})

test('an error of the consumer ends ffmpeg and comes through', async () => {
  const consume = async () => {
    for await (const _ of frames(long, options)) throw new Error('the consumer gave up')
  }
  await expect(consume()).rejects.toThrow('the consumer gave up')
  expect(await runningTools()).toEqual([])
})

test('an abort between two frames ends ffmpeg at once and is thrown at the next', async () => {
  const controller = new AbortController()
  const pulled = frames(long, { ...options, signal: controller.signal })
  expect((await pulled.next()).done).toBe(false)
  controller.abort(new Error('enough'))
  await expect(pulled.next()).rejects.toThrow('enough')
  expect(await runningTools()).toEqual([])
  expect((await pulled.next()).done).toBe(true)
})

test('an abort while a frame is awaited is thrown there', async () => {
  const controller = new AbortController()
  const pulled = frames(long, { ...options, everySeconds: 1000, signal: controller.signal })
  await pulled.next()
  const waiting = pulled.next()
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  expect(await runningTools()).toEqual([])
})

test('what is aborted before it begins starts nothing', async () => {
  const signal = AbortSignal.abort(new Error('never mind'))
  await expect(frames(long, { ...options, signal }).next()).rejects.toThrow('never mind')
  await expect(probe(long, { signal })).rejects.toThrow('never mind')
  await expect(frame(long, 5, { signal })).rejects.toThrow('never mind')
  expect(await runningTools()).toEqual([])
})

test('a whole pass and a single frame leave no process behind', async () => {
  await frame(long, 10)
  let count = 0
  for await (const _ of frames(long, { ...options, everySeconds: 5 })) count++
  expect(count).toBe(4)
  expect(await runningTools()).toEqual([])
})

test('ffmpeg waits while nobody asks for a frame', async () => {
  const pulled = frames(long, options)
  await pulled.next()
  // Decoding all of it takes a fraction of this; an ffmpeg that did not wait would be gone.
  await pause(1000)
  expect(await runningTools()).toHaveLength(1)
  const before = process.memoryUsage().arrayBuffers
  await pause(300)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2_000_000)
  let count = 1
  for await (const _ of pulled) count++
  expect(count).toBe(500)
})

test('frames that were handed out are not written to again', async () => {
  const kept: { data: Uint8Array; copy: Buffer }[] = []
  for await (const { views } of frames(long, { ...options, everySeconds: 2 })) {
    for (const { data } of views) kept.push({ data, copy: Buffer.from(data) })
  }
  for (const { data, copy } of kept) expect(copy.equals(data)).toBe(true)
  expect(new Set(kept.map(({ data }) => data.buffer)).size).toBe(kept.length)
})
