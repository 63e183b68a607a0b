import { mkdir, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { fingerprint } from '../../src/files/fingerprint.ts'
import { frame, type Index, keptStill } from '../../src/index.ts'
import { tidyStills } from '../../src/ingest/stills.ts'
import { h264, makeClip, testPicture, useFolder } from '../video/makeClip.ts'
import { open, pointsOf, run, temporaryFolder } from './indexing.ts'

const inFolder = useFolder()
const stills = (...names: string[]) => inFolder(join('home', 'cache', 'stills', ...names))

let clip: string
let video: string

beforeAll(async () => {
  // Nothing stays the same for longer than a frame, so that a neighbour's picture would be noticed.
  clip = await makeClip(inFolder('a.mp4'), ...testPicture(4, '640x360', '5'), '-vf', 'hue=H=2*t', ...h264)
  video = await fingerprint(clip)
})
beforeEach(() => void vi.stubEnv('VIDGREP_HOME', inFolder('home')))
afterAll(() => void vi.unstubAllEnvs())

const indexed = async (options: Parameters<typeof run>[2] = {}): Promise<Index> => {
  const index = await open(join(await temporaryFolder(), 'store'), { model: 'starter' })
  const { totals } = await run(index, [clip], { detail: 'whole', tolerance: 0, ...options })
  expect(totals).toMatchObject({ complete: 1, failed: 0, partial: 0 })
  return index
}

/** Mean absolute difference to the picture that ffmpeg makes of the file, in levels of 255. */
const differenceAt = async (still: Buffer, seconds: number): Promise<number> => {
  const { data, info } = await sharp(still).raw().toBuffer({ resolveWithObject: true })
  const wanted = await frame(clip, seconds, { width: info.width, height: info.height })
  return data.reduce((sum, level, i) => sum + Math.abs(level - wanted.data[i]!), 0) / data.length
}
/** As near as a small JPEG, of a view that may have been squashed into a square, comes. */
const near = 8

describe('indexing keeps a still of every frame', () => {
  it.each([
    ['whole', 224, 126],
    ['low', 398, 224],
  ] as const)('that shows it as it is displayed (detail %s)', async (detail, width, height) => {
    const index = await indexed({ detail })
    const times = new Set((await pointsOf(index)).map(({ t }) => t))
    expect([...times].sort()).toEqual([0, 1, 2, 3])
    for (const t of times) {
      const still = (await keptStill(video, t))!
      expect(await sharp(still).metadata()).toMatchObject({ format: 'jpeg', width, height })
      expect(await differenceAt(still, t)).toBeLessThan(near)
      expect(await differenceAt(still, (t + 2) % 4)).toBeGreaterThan(2 * near)
    }
  })

  it('that is handed out for its own time, or for one nearby where that is enough', async () => {
    const own = await keptStill(video, 2)
    expect(own).toBeDefined()
    expect(await keptStill(video, 2.4)).toBeUndefined()
    expect(await keptStill(video, 2.4, { withinSeconds: 0.5 })).toEqual(own)
    expect(await keptStill(video, 2, { width: 640 })).toBeUndefined()
    expect(await keptStill('another', 2)).toBeUndefined()
  })

  it('once, until other frames are sampled; it goes with the video, and none is kept where that is asked for', async () => {
    const { mtimeMs } = await stat(stills(video))
    await indexed({ detail: 'low' })
    expect((await stat(stills(video))).mtimeMs).toBe(mtimeMs)
    const index = await indexed({ detail: 'low', everySeconds: 2 })
    expect(await keptStill(video, 1)).toBeUndefined()
    expect(await keptStill(video, 2)).toBeDefined()
    await index.remove([clip])
    expect(await readdir(stills())).toEqual([])
    await indexed({ stills: false })
    expect(await readdir(stills())).toEqual([])
  })
})

describe('what goes wrong costs the stills and nothing else', () => {
  it('a cache that cannot be written to', async () => {
    const file = inFolder('file')
    await writeFile(file, '')
    vi.stubEnv('VIDGREP_HOME', file)
    await indexed()
    expect(await keptStill(video, 1)).toBeUndefined()
  })

  it('a cache that is taken away while a video is decoded', async () => {
    const index = await open(join(await temporaryFolder(), 'store'), { model: 'starter' })
    for await (const event of index.ingest([clip], { detail: 'whole', tolerance: 0, everySeconds: 0 })) {
      if (event.type === 'progress') await rm(stills(), { recursive: true, force: true })
      if (event.type === 'done') expect(event.totals).toMatchObject({ complete: 1, frames: 20 })
    }
    expect(await keptStill(video, 1)).toBeUndefined()
  })

  it('a run that is ended keeps those of the frames that it reached; the next one makes them all', async () => {
    const index = await open(join(await temporaryFolder(), 'store'), { model: 'starter' })
    for await (const event of index.ingest([clip], { detail: 'whole', everySeconds: 0 })) {
      if (event.type === 'progress') break
    }
    expect(await readdir(stills())).toEqual([video])
    expect(await differenceAt((await keptStill(video, 0))!, 0)).toBeLessThan(near)
    await indexed({ everySeconds: 0 })
    expect(await differenceAt((await keptStill(video, 3.8))!, 3.8)).toBeLessThan(near)
  })

  it('a file that was not written to its end', async () => {
    const { size } = await stat(stills(video))
    for (const bytes of [size - 1, 1000, 3, 0]) {
      await truncate(stills(video), bytes)
      expect(await keptStill(video, 1)).toBeUndefined()
    }
  })
})

it('what killed runs left goes, and the oldest stills when there are too many', async () => {
  await rm(stills(), { recursive: true, force: true })
  await mkdir(stills(), { recursive: true })
  const names = ['old', 'new', 'killed.part', 'running.part']
  for (const name of names) await writeFile(stills(name), Buffer.alloc(1000))
  const dayAgo = Date.now() / 1000 - 86_400
  await utimes(stills('old'), dayAgo, dayAgo)
  await utimes(stills('killed.part'), dayAgo, dayAgo)
  await tidyStills()
  expect((await readdir(stills())).sort()).toEqual(['new', 'old', 'running.part'])
  await tidyStills(2500)
  expect((await readdir(stills())).sort()).toEqual(['new', 'running.part'])
})
