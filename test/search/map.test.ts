import { expect, test } from 'vitest'
import { mapOf } from '../../src/search/map.ts'
import { pointId } from '../../src/store/point.ts'
import type { VideoRecord } from '../../src/store/store.ts'
import { putRecord, samplePoint, sampleRecord, unitVector } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

/** A frame a second and a square of it; each letter is something else to see, each frame of it a little different. */
const stored = async (videos: Readonly<Record<string, string>>, changes: Partial<VideoRecord> = {}) => {
  const store = arrayStore(24)
  for (const [video, frames] of Object.entries(videos)) {
    for (const [t, letter] of [...frames].entries()) {
      const [own, noise] = [unitVector(letter.charCodeAt(0)), unitVector(1000 + t + 100 * video.charCodeAt(0))]
      const mixed = own.map((x, i) => x + 0.5 * noise[i]!)
      const vector = mixed.map((x) => x / Math.hypot(...mixed))
      for (const patch of [1, 0]) {
        const at = { id: pointId(video, 'm', t, patch), video, t, until: t, patch }
        await store.upsert([samplePoint(0, { ...at, vector: patch === 0 ? vector : unitVector(7) })])
      }
    }
    const { length } = frames
    await putRecord(store, sampleRecord(video, { frames: length, durationSeconds: length, ...changes }))
  }
  return store
}

test('what looks alike lies close together, in the same place every time', async () => {
  const store = await stored({ one: 'aaaaaaaabbbbbbbb', two: 'bbbbbbbbcccccccc' })
  const { points, videos } = await mapOf(store)
  expect({ videos, frames: points.length }).toEqual({ videos: 2, frames: 32 })
  expect(points[0]).toEqual({
    x: expect.any(Number),
    y: expect.any(Number),
    path: '/videos/one.mp4',
    video: 'one',
    t: 0,
  })
  const kinds = ['a', 'b', 'b', 'c'].flatMap((kind) => Array<string>(8).fill(kind))
  for (const [i, point] of points.entries()) {
    const others = points.map((other, at) => ({
      kind: kinds[at],
      far: Math.hypot(other.x - point.x, other.y - point.y),
      at,
    }))
    const [nearest] = others.filter(({ at }) => at !== i).sort((a, b) => a.far - b.far)
    expect(nearest!.kind).toBe(kinds[i])
  }
  expect(await mapOf(store)).toEqual(await mapOf(store))
  expect((await mapOf(store, { seed: 2 })).points[0]).not.toEqual(points[0])
})

test('frames are taken evenly from the videos that are asked for, none of one colour and none twice', async () => {
  const videos = { one: 'abcdefgh', two: 'ijklmnop' }
  const times = async (options: Parameters<typeof mapOf>[1], changes?: Partial<VideoRecord>) =>
    (await mapOf(await stored(videos, changes), options)).points.map(({ video, t }) => `${video} ${t}`)
  expect(await times({ n: 4 })).toEqual(['one 2', 'one 6', 'two 2', 'two 6'])
  expect(await times({ n: 2, paths: ['two.mp4'] })).toEqual(['two 2', 'two 6'])
  expect(await times({ n: 1 })).toEqual(['two 4'])
  expect(await times({ n: 4 }, { flat: [[6, 6]] })).toEqual(['one 2', 'two 2'])
  const same = arrayStore(24)
  for (const video of ['a', 'b']) {
    const at = { id: pointId(video, 'm', 0, 0), video, t: 0, until: 9, patch: 0, vector: unitVector(1) }
    await same.upsert([samplePoint(0, at)])
    await putRecord(same, sampleRecord(video, { frames: 10, durationSeconds: 10 }))
  }
  expect((await mapOf(same)).points).toEqual([{ x: 0.5, y: 0.5, path: '/videos/a.mp4', video: 'a', t: 0 }])
  await expect(times({ n: 0 })).rejects.toMatchObject({ code: 'usage' })
})
