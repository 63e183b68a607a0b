import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Encoder, openEncoder } from '../../src/encoder/encoder.ts'
import { UsageError, VidgrepError } from '../../src/errors.ts'
import { loadModel } from '../../src/models/load.ts'
import { pictureVector } from '../../src/search/picture.ts'
import { search, similar } from '../../src/search/search.ts'
import type { Box, Store } from '../../src/store/store.ts'
import { cosine, putRecord, samplePoint, sampleRecord } from '../store/samples.ts'
import { makeClip, testPicture, useFolder } from '../video/makeClip.ts'
import { arrayStore } from './array-store.ts'

const inFolder = useFolder()
const size = 224
let encoder: Encoder
let store: Store
/** Embeddings of three plain pictures. */
let red: Float32Array
let blue: Float32Array
let stripes: Float32Array
const whole: Box = [0, 0, 1, 1]
const right: Box = [0.5, 0, 0.5, 1]

const plain = (background: string) =>
  sharp({ create: { width: size, height: size, channels: 3, background } })
    .png()
    .toBuffer()
const striped = () => {
  const pixels = Buffer.from(Array.from({ length: size * size * 3 }, (_, i) => ((i / 3) % 32 < 16 ? 255 : 20)))
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer()
}
const vectorOf = async (png: Buffer): Promise<Float32Array> =>
  (await encoder.encodePictures(await sharp(png).removeAlpha().raw().toBuffer()))[0]!

beforeAll(async () => {
  const model = await loadModel('starter')
  encoder = await openEncoder(model)
  ;[red, blue, stripes] = (await Promise.all(
    [plain('#ff0000'), plain('#0000ff'), striped()].map(async (png) => vectorOf(await png)),
  )) as [Float32Array, Float32Array, Float32Array]
  store = arrayStore(model.dimension)
  const point = (seed: number, video: string, t: number, vector: Float32Array, box: Box = whole) =>
    samplePoint(seed, { video, path: inFolder(`${video}.mp4`), t, until: t, vector, box, patch: box === whole ? 0 : 1 })
  await store.upsert([
    point(1, 'a', 5, red),
    point(2, 'a', 5, blue, right),
    point(3, 'b', 7, red),
    point(4, 'c', 9, blue),
    point(5, 'd', 11, stripes),
  ])
  for (const video of ['a', 'b', 'c', 'd']) {
    await putRecord(
      store,
      sampleRecord(video, { files: [{ path: inFolder(`${video}.mp4`), bytes: 1, modifiedMs: 0 }] }),
    )
  }
  await makeClip(inFolder('loose.mp4'), ...testPicture(2, '320x180'), '-pix_fmt', 'yuv420p')
})
afterAll(() => encoder.close())

const vector = (picture: Parameters<typeof pictureVector>[0]) => pictureVector(picture, { encoder, store })
const searched = () => ({ model: encoder.model, existing: () => store, encoder: async () => encoder })

describe('a picture', () => {
  test('is encoded as a frame is, from a file or from bytes, turned as its camera says', async () => {
    const png = await striped()
    await writeFile(inFolder('stripes.png'), png)
    expect(cosine(await vector({ image: inFolder('stripes.png') }), stripes)).toBeGreaterThan(0.999)
    const lying = await sharp(png).rotate(90).jpeg({ quality: 100 }).withMetadata({ orientation: 8 }).toBuffer()
    expect(cosine(await vector({ image: lying }), stripes)).toBeGreaterThan(0.99)
  })

  test.each([
    ['a text', async () => writeFile(inFolder('x'), 'words'), /Expected a picture, got something else/],
    ['an empty file', async () => writeFile(inFolder('x'), ''), /is empty/],
    [
      'a drawing that a program draws',
      async () => writeFile(inFolder('x'), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      /something else/,
    ],
    ['half a picture', async () => writeFile(inFolder('x'), (await striped()).subarray(0, 200)), /something else/],
    [
      'more pixels than anybody has',
      async () => writeFile(inFolder('x'), await bomb()),
      /at most .* got 60000 × 60000|something else/,
    ],
    ['a folder', async () => mkdir(inFolder('folder')), /got a folder/],
    ['a pipe', async () => promisify(execFile)('mkfifo', [inFolder('pipe')]), /got a named pipe/],
    ['nothing', async () => {}, /There is no file/],
  ])('is none: %s', async (what, make, message) => {
    await make()
    const name = { 'a folder': 'folder', 'a pipe': 'pipe', nothing: 'missing' }[what] ?? 'x'
    const failing = vector({ image: inFolder(name) })
    await expect(failing).rejects.toThrow(message)
    await expect(failing).rejects.toThrow(VidgrepError)
  })
})

/** The head of a PNG, which says how large it is. */
const bomb = async (): Promise<Buffer> => {
  const png = Buffer.from(await plain('#000000'))
  png.writeUInt32BE(60_000, 16)
  png.writeUInt32BE(60_000, 20)
  return png
}

describe('a place of a video', () => {
  test('is what is stored of it, by path or fingerprint: the frame, or the patch that is meant', async () => {
    expect(await vector({ video: 'a', t: 5 })).toEqual(red)
    expect(await vector({ video: inFolder('a.mp4'), t: 5, box: [0.52, 0, 0.48, 1] })).toEqual(blue)
  })

  test('is decoded where nothing of it is stored', async () => {
    const loose = inFolder('loose.mp4')
    const [frame, part] = [await vector({ video: loose, t: 1 }), await vector({ video: loose, t: 1, box: right })]
    expect(cosine(frame, part)).toBeLessThan(0.99)
    expect(Math.hypot(...part)).toBeCloseTo(1)
  })

  test.each([
    [{ video: 'nowhere.mp4', t: 1 }],
    [{ video: 'a', t: Number.NaN }],
    [{ video: 'a', t: 5, box: [0.5, 0, 0.6, 1] as Box }],
    [{ video: 'a', t: 5, box: [0, 0, 0, 1] as Box }],
  ])('is none: %o', async (place) => {
    await expect(vector(place)).rejects.toThrow(UsageError)
  })
})

describe('an example', () => {
  test('finds what looks like it, likely only where it truly does, with no likelihood', async () => {
    const { query, moments } = await search(searched(), { like: [{ video: 'b', t: 7 }] })
    expect(query).toBe('like b@7')
    expect(
      moments
        .slice(0, 2)
        .map(({ video, likely }) => [video, likely])
        .sort(),
    ).toEqual([
      ['a', true],
      ['b', true],
    ])
    expect(moments.every(({ score, likely, likelihood }) => likelihood === undefined && likely === score >= 80)).toBe(
      true,
    )
  })

  test('takes what is disliked down', async () => {
    const like = [
      { video: 'b', t: 7 },
      { video: 'c', t: 9 },
    ]
    const without = await search(searched(), { like: [like[0]!], unlike: [like[1]!] })
    expect(
      without.moments
        .slice(0, 2)
        .map(({ video, patch }) => [video, patch])
        .sort(),
    ).toEqual([
      ['a', 0],
      ['b', 0],
    ])
    const scoreOf = (video: string, moments: typeof without.moments) =>
      moments.find((each) => each.video === video)!.score
    const both = await search(searched(), { like })
    expect(scoreOf('c', without.moments)).toBeLessThan(scoreOf('c', both.moments))
  })

  test('needs words or a like', async () => {
    await expect(search(searched(), { unlike: [{ video: 'b', t: 7 }] })).rejects.toThrow(/Expected words or a picture/)
    await expect(search(searched(), { text: ' ' })).rejects.toThrow(UsageError)
  })
})

test('what is similar to a place leaves that place out', async () => {
  const { moments } = await similar(searched(), { video: 'b', t: 7 }, { n: 2 })
  expect(moments.map(({ rank, video }) => [rank, video])).toEqual([
    [1, 'a'],
    [2, expect.not.stringMatching('b')],
  ])
})

describe('of the videos only some are searched', () => {
  test.each([
    [{ longerSeconds: 60 }, ['a', 'b']],
    [{ shorterSeconds: 60 }, ['b', 'c']],
    [{ recordedAfter: new Date('2024-06-01T00:00:00Z') }, ['b']],
    [{ recordedBefore: new Date('2024-06-01T00:00:00Z') }, ['a']],
    [{ indexedSince: new Date('2026-01-01T00:00:00Z') }, ['c', 'd']],
    [{ aspect: 'portrait' as const }, ['b']],
    [{ aspect: 'square' as const }, ['c']],
    [{ longerSeconds: 60, aspect: 'landscape' as const }, ['a']],
  ])('%o', async (filter, videos) => {
    const [landscape, portrait, square] = [
      { width: 1920, height: 1080 },
      { width: 1080, height: 1920 },
      { width: 720, height: 720 },
    ]
    const old = { indexedAt: '2025-05-05T05:05:05.000Z' }
    await putRecord(
      store,
      sampleRecord('a', { durationSeconds: 90, ...landscape, ...old, recordedAt: '2020-01-01T00:00:00.000Z' }),
    )
    await putRecord(
      store,
      sampleRecord('b', { durationSeconds: 60, ...portrait, ...old, recordedAt: '2024-06-01T00:00:00.000Z' }),
    )
    await putRecord(store, sampleRecord('c', { durationSeconds: 5, ...square }))
    await putRecord(store, sampleRecord('d'))
    const { moments } = await search(searched(), 'red', filter)
    expect([...new Set(moments.map(({ video }) => video))].sort()).toEqual(videos)
  })

  test('and a bound that is none is refused', async () => {
    await expect(search(searched(), 'red', { longerSeconds: -1 })).rejects.toThrow(UsageError)
    await expect(search(searched(), 'red', { recordedAfter: new Date('x') })).rejects.toThrow(UsageError)
    await expect(search(searched(), 'red', { aspect: 'round' as 'square' })).rejects.toThrow(UsageError)
  })
})
