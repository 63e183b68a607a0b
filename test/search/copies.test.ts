import { expect, test } from 'vitest'
import { noteCopies } from '../../src/ingest/copies.ts'
import { copiesIn, copyGroups, elsewhere } from '../../src/search/copies.ts'
import { pointId } from '../../src/store/point.ts'
import type { Store, VideoRecord } from '../../src/store/store.ts'
import { putRecord, samplePoint, sampleRecord, unitVector } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

/** A frame a second, each letter another picture; what is in upper case is of one colour. Copies differ a little. */
const add = async (store: Store, video: string, frames: string, changes: Partial<VideoRecord> = {}) => {
  const flat: [number, number][] = []
  for (const [t, letter] of [...frames].entries()) {
    if (letter !== letter.toLowerCase()) flat.push([t, t])
    const [own, noise] = [unitVector(letter.charCodeAt(0)), unitVector(video.charCodeAt(0) * 1000 + t)]
    const mixed = own.map((x, i) => x + 0.3 * noise[i]!)
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

const shared = (video: string, from: number, to: number, offsetSeconds: number) => ({ video, from, to, offsetSeconds })

test('a stretch is found elsewhere by the copy’s copy too, as far as it is shared, and never where nothing is', () => {
  const copies = copiesIn([
    sampleRecord('a', { copies: [shared('b', 10, 20, -10), shared('gone', 0, 9, 0)] }),
    sampleRecord('b'),
    sampleRecord('c', { copies: [shared('b', 100, 104, -98)] }),
  ])
  expect(elsewhere(copies, { video: 'a', from: 12, to: 30 })).toEqual([
    { video: 'b', from: 2, to: 10 },
    { video: 'c', from: 100, to: 104 },
  ])
  expect(elsewhere(copies, { video: 'c', from: 101, to: 101 })).toEqual([
    { video: 'b', from: 3, to: 3 },
    { video: 'a', from: 13, to: 13 },
  ])
  expect(elsewhere(copies, { video: 'a', from: 30, to: 40 })).toEqual([])
})

test('groups name each place of a file, and what is shared', () => {
  const file = (path: string) => ({ path, bytes: 1, modifiedMs: 0 })
  const groups = copyGroups([
    sampleRecord('a', { files: [file('/1.mp4'), file('/2.mp4')], durationSeconds: 9, copies: [shared('b', 1, 4, 2)] }),
    sampleRecord('b', { files: [file('/0.mp4')] }),
    sampleRecord('c'),
  ])
  expect(groups).toEqual([
    {
      videos: [
        { path: '/0.mp4', video: 'b', durationSeconds: undefined },
        { path: '/1.mp4', video: 'a', durationSeconds: 9 },
        { path: '/2.mp4', video: 'a', durationSeconds: 9 },
      ],
      shared: [{ video: 'a', from: 1, to: 4, other: 'b', offsetSeconds: 2 }],
    },
  ])
})

test('with a model of which nobody measured how alike copies are, only frames that are nearly equal count', async () => {
  const store = arrayStore(24)
  await add(store, 'original', 'abcdef')
  await add(store, 'a little different', 'abcdef')
  await noteCopies(store, {}, {})
  expect((await store.records()).map(({ copies }) => copies)).toEqual([[], []])
})
