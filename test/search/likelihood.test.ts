import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { standardOf } from '../../src/search/likelihood.ts'
import { recentRecords } from '../../src/search/records.ts'
import { quantised } from '../../src/store/profile.ts'
import type { Store, VideoRecord } from '../../src/store/store.ts'
import { sampleRecord } from '../store/samples.ts'

const record = (video: string, captions: number[], mean: number[]) =>
  sampleRecord(video, {
    profile: { captions: quantised(Float32Array.from(captions)), mean: quantised(Float32Array.from(mean)) },
  })

test('captions are taken at their best over all videos, and means alike', () => {
  const records = [
    record('a', [0.1, 0.5, 0.3, 0], [1, 0]),
    record('b', [0.2, 0.1, 0.3, 0.4], [0, 1]),
    sampleRecord('c'),
  ]
  const standard = standardOf(records)!
  // At best 20, 50, 30 and 40.
  expect(standard.scoreAt(0)).toBeCloseTo(20, 0)
  expect(standard.scoreAt(1)).toBeCloseTo(50, 0)
  expect(standard.scoreAt(0.5)).toBeCloseTo(35, 0)
  expect(standard.likelihood(10)).toBe(0)
  expect(standard.likelihood(60)).toBe(1)
  for (const share of [0.1, 0.4, 0.75, 0.9]) expect(standard.likelihood(standard.scoreAt(share))).toBeCloseTo(share, 5)
  expect(standard.background(Float32Array.of(0.6, 0.8))).toBeCloseTo(70, 0)
})

test('without a profile there is no standard', () => {
  expect(standardOf([])).toBeUndefined()
  expect(standardOf([sampleRecord('a')])).toBeUndefined()
})

test('reads the records for all who ask at once, whoever of them gives up', async () => {
  const records: readonly VideoRecord[] = []
  const store: Pick<Store, 'records'> = {
    records: async ({ signal } = {}) => {
      await setTimeout(20)
      signal?.throwIfAborted()
      return records
    },
  }
  const leaving = new AbortController()
  const asked = [recentRecords(store, { signal: leaving.signal }), recentRecords(store, {})]
  leaving.abort(new Error('left'))
  expect(await asked[1]).toBe(records)
  await Promise.allSettled(asked)
})
