import { expect, test } from 'vitest'
import { scenes } from '../../src/search/scenes.ts'
import { pointId } from '../../src/store/point.ts'
import type { Detail } from '../../src/store/store.ts'
import { cosine, putRecord, samplePoint, sampleRecord, unitVector } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

/** A video of one frame a second; each letter is something else to see, in lower case a little different. */
const stored = async (frames: string, patch = 0, detail?: Detail) => {
  const store = arrayStore(24)
  for (const [t, letter] of [...frames].entries()) {
    if (letter === '_') continue
    const seed = letter.toLowerCase().charCodeAt(0)
    const [own, noise] = [unitVector(seed), unitVector(1000 + t)]
    const mixed = own.map((x, i) => (letter === letter.toLowerCase() ? x + 0.4 * noise[i]! : x))
    const vector = mixed.map((x) => x / Math.hypot(...mixed))
    const gap = /^_*/.exec(frames.slice(t + 1))![0].length
    await store.upsert([
      samplePoint(0, { id: pointId('v', 'm', t, patch), video: 'v', t, until: t + gap, patch, vector }),
    ])
  }
  await putRecord(store, sampleRecord('v', { frames: frames.length, durationSeconds: frames.length, detail }))
  return store
}
const starts = async (frames: string) => (await scenes(await stored(frames), 'v')).scenes.map(({ from }) => from)

test('a scene begins where three frames differ from the three before', async () => {
  expect(await starts('aaaaabbbbbaaaa')).toEqual([0, 5, 10])
  expect(await starts('aaaaaaa')).toEqual([0])
  expect(await starts('A')).toEqual([0])
})

test('a frame that stayed the same counts as often as it was seen', async () => {
  expect(await starts('A_____bB______C_')).toEqual([0, 6, 14])
  // One strange frame is no scene.
  expect(await starts('A_____bA______')).toEqual([0])
})

test('scenes shorter than what is compared are found by both their ends', async () => {
  expect(await starts('aaaaabbcccc')).toEqual([0, 5, 7])
  expect(await starts('aaaabcdddd')).toEqual([0, 4, 5, 6])
})

test('black between two scenes is no scene of its own', async () => {
  const store = await stored('aaaabcccc')
  await putRecord(store, sampleRecord('v', { frames: 9, durationSeconds: 9, flat: [[4, 4]] }))
  expect((await scenes(store, 'v')).scenes.map(({ from }) => from)).toEqual([0, 5])
})

test('where the whole frame alone leaves it open, its squares say whether all of the picture changed', async () => {
  const half = (before: Float32Array, after: Float32Array) => {
    const mixed = before.map((x, i) => 0.2 * x + after[i]!)
    return mixed.map((x) => x / Math.hypot(...mixed))
  }
  const [before, other] = [unitVector(1), unitVector(2)]
  const starts = async (changedSquares: number) => {
    const store = arrayStore(24)
    for (let t = 0; t < 8; t++) {
      for (let patch = 0; patch <= 8; patch++) {
        const isChanged = t >= 4 && patch <= changedSquares
        const vector = !isChanged ? before : patch === 0 ? half(before, other) : other
        await store.upsert([
          samplePoint(0, { id: pointId('v', 'm', t, patch), video: 'v', t, until: t, patch, vector }),
        ])
      }
    }
    await putRecord(store, sampleRecord('v', { frames: 8, durationSeconds: 8 }))
    return (await scenes(store, 'v')).scenes.map(({ from }) => from)
  }
  expect(cosine(before, half(before, other))).toBeGreaterThan(0.3)
  expect(cosine(before, half(before, other))).toBeLessThan(0.6)
  expect(await starts(8)).toEqual([0, 4])
  expect(await starts(4)).toEqual([0])
})

test('scenes follow each other without a gap, and each has a frame of its own that stands for it', async () => {
  const found = await scenes(await stored('aaaaaB____c'.padEnd(700, 'c')), 'videos/v.mp4')
  expect(found).toMatchObject({ path: '/videos/v.mp4', video: 'v', durationSeconds: 700 })
  expect(found.scenes).toEqual([
    { number: 1, from: 0, to: 5, t: 2 },
    { number: 2, from: 5, to: 10, t: 7.5 },
    { number: 3, from: 10, to: 700, t: 355 },
  ])
})

test('the first square stands for the frame where the model cuts its sides off and no more is stored', async () => {
  const found = await scenes(await stored('aaaaabbbbb', 1, 'whole'), 'v')
  expect(found.scenes.map(({ from }) => from)).toEqual([0, 5])
})

test('a video without whole frames is an error that says what to do', async () => {
  await expect(scenes(await stored('aaa', 3), 'v')).rejects.toMatchObject({ code: 'usage' })
})
