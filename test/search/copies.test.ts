import { expect, test } from 'vitest'
import { copiesIn, copyGroups, elsewhere } from '../../src/search/copies.ts'
import { sampleRecord } from '../store/samples.ts'

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
