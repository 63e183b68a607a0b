import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openEncoder } from '../../src/encoder/encoder.ts'
import { captionVectors, profileOf } from '../../src/ingest/profile.ts'
import { quantised, restored } from '../../src/store/profile.ts'
import { arrayStore } from '../search/array-store.ts'
import { cosine, samplePoint } from '../store/samples.ts'
import { clip, contents, open, run, temporaryFolder } from './indexing.ts'

test('a run leaves what each caption reaches at best, and the mean of what is stored, in each record', async () => {
  const folder = await temporaryFolder()
  const index = await open(join(folder, 'store'), { model: 'starter' })
  const known: boolean[] = []
  for await (const event of index.ingest([clip('bunny.mp4')], { everySeconds: 3, detail: 'whole' })) {
    if (event.type === 'video') known.push((await index.videos())[0]!.profile !== undefined)
  }
  // At once, not at the end of a run of hours.
  expect(known).toEqual([true])
  const text = await readFile(new URL('../../models/captions.txt', import.meta.url), 'utf8')
  const captions = text.trim().split('\n')
  expect(new Set(captions).size).toBe(256)
  const encoder = await openEncoder(index.model)
  const texts = await encoder.encodeTexts(captions.slice(0, 9))
  await encoder.close()
  const vectors = [...(await contents(index)).values()]
  const profile = (await index.videos())[0]!.profile!
  const best = restored(profile.captions)
  expect(best).toHaveLength(256)
  for (const [i, caption] of texts.entries()) {
    expect(best[i]).toBeCloseTo(Math.max(...vectors.map((vector) => cosine(vector, caption))), 2)
  }
  const mean = restored(profile.mean)
  for (const [i, x] of mean.entries()) {
    expect(x).toBeCloseTo(vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length, 2)
  }
  // A record that lacks it gets it from a run that has nothing else to do.
  const { video } = (await index.videos())[0]!
  await index.store!.changeRecord(video, (record) => record && { ...record, profile: undefined })
  await run(index, [clip('bunny.mp4')], { everySeconds: 3, detail: 'whole' })
  expect((await index.videos())[0]!.profile).toEqual(profile)
})

test('a video without points has no profile', async () => {
  const store = arrayStore(24)
  expect(await profileOf(store, 'video-a', [samplePoint(1).vector], {})).toBeUndefined()
  await store.upsert([samplePoint(1)])
  const profile = await profileOf(store, 'video-a', [samplePoint(1).vector], {})
  expect(restored(profile!.captions)[0]).toBeCloseTo(1, 5)
})

test('quantised numbers are off by half a step at most', () => {
  const numbers = Float32Array.of(-0.5, -0.1234, 0, 0.31, 0.5)
  for (const [i, x] of restored(quantised(numbers)).entries()) expect(Math.abs(x - numbers[i]!)).toBeLessThan(0.002)
  expect([...restored(quantised(Float32Array.of(0.25, 0.25)))]).toEqual([0.25, 0.25])
})

test('the vectors that the starter model brings along are those that it makes', async () => {
  const index = await open(join(await temporaryFolder(), 'store'), { model: 'starter' })
  const encoder = await openEncoder(index.model)
  const text = await readFile(new URL('../../models/captions.txt', import.meta.url), 'utf8')
  const captions = text.trim().split('\n')
  const carried = await captionVectors(encoder, {})
  const made = await encoder.encodeTexts(captions.slice(0, 12))
  await encoder.close()
  await index.close()
  expect(carried).toHaveLength(captions.length)
  // The 8-bit kernels of processors differ a little.
  for (const [i, vector] of made.entries()) expect(cosine(vector, carried[i]!)).toBeGreaterThan(0.999)
})
