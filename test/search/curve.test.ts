import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Encoder, openEncoder } from '../../src/encoder/encoder.ts'
import { loadModel } from '../../src/models/load.ts'
import { curvePng, curveSvg } from '../../src/render/plot.ts'
import { curve } from '../../src/search/curve.ts'
import { pointId } from '../../src/store/point.ts'
import { quantised } from '../../src/store/profile.ts'
import { putRecord, samplePoint, sampleRecord } from '../store/samples.ts'
import { arrayStore } from './array-store.ts'

let encoder: Encoder
beforeAll(async () => {
  encoder = await openEncoder(await loadModel('starter'))
})
afterAll(() => encoder.close())

/** A store with one point for each [t, until, score]; patches of one frame have one `t`. */
const stored = async (spans: readonly (readonly [number, number, number])[], durationSeconds: number) => {
  const { dimension } = encoder.model
  const [query] = await encoder.encodeTexts(['a red car'])
  const along = query!.findIndex((x) => Math.abs(x) > 1e-3)
  const other = new Float32Array(dimension)
  other[(along + 1) % dimension] = query![along]!
  other[along] = -query![(along + 1) % dimension]!
  const length = Math.hypot(...other)
  const store = arrayStore(dimension)
  await store.upsert(
    spans.map(([t, until, score], patch) => {
      const [x, y] = [score / 100, Math.sqrt(1 - (score / 100) ** 2)]
      const vector = query!.map((each, i) => x * each + (y * other[i]!) / length)
      return samplePoint(patch, { id: pointId('v', 'm', t, patch), video: 'v', t, until, patch, vector })
    }),
  )
  const profile = { captions: quantised(Float32Array.of(0, 0.4)), mean: quantised(new Float32Array(dimension)) }
  await putRecord(store, sampleRecord('v', { durationSeconds, profile }))
  return { model: encoder.model, existing: () => store, encoder: async () => encoder }
}

test('a curve has the best patch of each frame, as long as that stays the same', async () => {
  const searched = await stored(
    [
      [0, 3, 20],
      [0, 1, 35],
      [2, 2, 10],
      [3, 3, 25],
      [4, 6, 30],
    ],
    7,
  )
  const found = await curve(searched, 'a red car', 'videos/v.mp4')
  const rounded = found.points.map(({ t, until, score }) => [t, until, Math.round(score)])
  expect(rounded).toEqual([
    [0, 1, 35],
    [2, 2, 20],
    [3, 3, 25],
    [4, 6, 30],
  ])
  expect(found).toMatchObject({ path: '/videos/v.mp4', video: 'v', durationSeconds: 7, background: 0 })
  expect(found.cutoff).toBeCloseTo(30, 0)
  expect(found.moments[0]).toMatchObject({ rank: 1, t: 0, likely: true })
})

test('the curve of a long video is as if it were read at once', async () => {
  const spans = Array.from({ length: 500 }, (_, i) => [i * 7, i * 7 + (i % 3) * 4, (i * 37) % 90] as const)
  const whole = await curve(await stored(spans, 10), 'a red car', 'v')
  const inParts = await curve(await stored(spans, 3500), 'a red car', 'v')
  expect(inParts.points).toEqual(whole.points)
  expect(whole.points.length).toBeGreaterThan(400)
})

test('no video, or more than one, is an error that says so', async () => {
  const searched = await stored([[0, 0, 20]], 1)
  await putRecord(searched.existing(), sampleRecord('w'))
  await expect(curve(searched, 'a red car', 'none.mp4')).rejects.toThrow('No video of the collection lies at none.mp4')
  await expect(curve(searched, 'a red car', '*.mp4')).rejects.toThrow('Expected one video, got 2: /videos/v.mp4')
  await expect(curve(searched, ' ', 'v')).rejects.toThrow('Expected words')
})

test('a plot shows the curve, what is likely and where the moments are', async () => {
  const points = [0, 1, 2].map((t) => ({ t, until: t, score: 10 * t }))
  const plotted = {
    ...{ query: '<a> & "b"', path: '/a.mp4', durationSeconds: 4000, points, cutoff: 15 },
    moments: [{ rank: 1, t: 2, from: 2, to: 2 }],
  }
  const svg = curveSvg(plotted)
  expect(svg).toContain('>&lt;a&gt; &amp; "b"</text>')
  expect(svg).toContain('likely from 15.00')
  expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 1200 400">.*<\/svg>\n$/s)
  expect(svg).not.toContain('NaN')
  const png = await curvePng(plotted)
  expect(png.subarray(1, 4).toString()).toBe('PNG')
  expect(curveSvg({ ...plotted, points: [], durationSeconds: undefined, cutoff: undefined })).not.toContain('NaN')
})
