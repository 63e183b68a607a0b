import { expect, test } from 'vitest'
import { noteCopies } from '../../src/ingest/copies.ts'
import { copyGroups } from '../../src/search/copies.ts'
import { pointId } from '../../src/store/point.ts'
import type { Store, VideoRecord } from '../../src/store/store.ts'
import { arrayStore } from '../search/array-store.ts'
import { putRecord, samplePoint, sampleRecord, unitVector } from '../store/samples.ts'

/** A frame a second, each letter another picture; what is in upper case is of one colour. Copies differ a little. */
const add = async (store: Store, video: string, frames: string, changes: Partial<VideoRecord> = {}, noise = 0.3) => {
  const flat: [number, number][] = []
  for (const [t, letter] of [...frames].entries()) {
    if (letter !== letter.toLowerCase()) flat.push([t, t])
    const [own, other] = [unitVector(letter.charCodeAt(0)), unitVector(video.charCodeAt(0) * 1000 + t)]
    const mixed = own.map((x, i) => x + noise * other[i]!)
    const vector = mixed.map((x) => x / Math.hypot(...mixed))
    const place = { id: pointId(video, 'm', t, 0), video, t, until: t, patch: 0, vector }
    await store.upsert([samplePoint(0, place)])
  }
  const { length } = frames
  await putRecord(store, sampleRecord(video, { frames: length, durationSeconds: length, flat, ...changes }))
}

const rounded = (records: readonly VideoRecord[]) =>
  new Map(
    records.map(({ video, copies }) => [video, copies?.map(({ video, ...times }) => [video, ...Object.values(times)])]),
  )

test('what videos share is found when it is three frames or more at one offset, and noted in one record of the two', async () => {
  const store = arrayStore(24)
  await add(store, 'original', 'abcdefghijkl')
  await add(store, 'shortened', 'efghi')
  await add(store, 'other', 'nopqrs')
  await add(store, 'two frames', 'nozz')
  await noteCopies(store, { sameFrame: 0.8 }, {})
  const noted = rounded(await store.records())
  expect(noted.get('original')).toEqual([['shortened', 4, 8, -4]])
  expect([...noted.values()].flat()).toHaveLength(1)
  expect(noted.get('two frames')).toEqual([])
})

test('a cut of another video shares each of its shots, wherever they are', async () => {
  const store = arrayStore(24)
  await add(store, 'source', 'abcdefghijklmnopqrstuvwxyz')
  await add(store, 'trailer', 'uvwxcdef')
  await noteCopies(store, { sameFrame: 0.8 }, {})
  const [{ copies }] = (await store.records()) as [VideoRecord]
  expect(copies).toEqual([
    { video: 'trailer', from: 2, to: 5, offsetSeconds: 2 },
    { video: 'trailer', from: 20, to: 23, offsetSeconds: -20 },
  ])
})

test('frames of one colour make no copies, and a video of them alone has none', async () => {
  const store = arrayStore(24)
  await add(store, 'one', 'BBBBabcBB')
  await add(store, 'two', 'BBBBdefBB')
  await add(store, 'three', 'BBBBBB')
  await noteCopies(store, { sameFrame: 0.8 }, {})
  expect((await store.records()).map(({ copies }) => copies)).toEqual([[], [], []])
})

test('only new videos are compared, with all that are there, and what was removed is named no more', async () => {
  const store = arrayStore(24)
  await add(store, 'a', 'abcdef')
  await noteCopies(store, { sameFrame: 0.8 }, {})
  store.limits.length = 0
  await noteCopies(store, { sameFrame: 0.8 }, {})
  expect(store.limits).toEqual([])
  await add(store, 'b', 'abcdef')
  await add(store, 'from an earlier version', 'abcdef', { flat: undefined })
  await noteCopies(store, { sameFrame: 0.8 }, {})
  expect(copyGroups(await store.records())).toMatchObject([
    { videos: [{ video: 'a' }, { video: 'b' }, { video: 'from an earlier version' }] },
  ])
  await store.deleteVideo('a')
  expect(copyGroups(await store.records()).flatMap(({ videos }) => videos.map(({ video }) => video))).not.toContain('a')
})

test('a video of two frames is a copy if both are the same, a longer one is not', async () => {
  const store = arrayStore(24)
  await add(store, 'original', 'abcdefgh')
  await add(store, 'short', 'ef')
  await add(store, 'two of four', 'zzef')
  await noteCopies(store, { sameFrame: 0.8 }, {})
  const noted = rounded(await store.records())
  expect(noted.get('original')).toEqual([['short', 4, 5, -4]])
})

test('with bars or a crop frames may be less alike than those of the same shape', async () => {
  const store = arrayStore(24)
  const [wide, square] = [
    { width: 1280, height: 720 },
    { width: 640, height: 640 },
  ]
  await add(store, 'original', 'abcdefghij', wide)
  await add(store, 'letterboxed', 'abcdefghij', square, 0.8)
  await add(store, 'something like it', 'abcdefghij', { width: 640, height: 360 }, 0.8)
  await noteCopies(store, { sameFrame: 0.8 }, {})
  const pairs = copyGroups(await store.records()).flatMap((group) =>
    group.shared.map(({ video, other }) => [video, other].sort()),
  )
  expect(pairs).toEqual([['letterboxed', 'original']])
})

test('with a model of which nobody measured how alike copies are, only frames that are nearly equal count', async () => {
  const store = arrayStore(24)
  await add(store, 'original', 'abcdef')
  await add(store, 'a little different', 'abcdef')
  await noteCopies(store, {}, {})
  expect((await store.records()).map(({ copies }) => copies)).toEqual([[], []])
})
