import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Index, IndexOptions } from '../../src/index.ts'
import { ffmpegVersions } from '../../src/video/ffmpeg.ts'
import { clip, contents, open, pointsOf, run, temporaryFolder } from './indexing.ts'

/** A still test card of 12 seconds in which a white box stands in the lower right corner from second 4 to second 8. */
const makeStill = async (file: string): Promise<string> => {
  const { ffmpeg } = await ffmpegVersions()
  const card = 'smptebars=size=320x240:rate=10:duration=12,noise=alls=4:allf=t'
  const box = "drawbox=x=200:y=150:w=100:h=80:color=white:t=fill:enable='between(t,3.95,7.95)'"
  const options = ['-v', 'error', '-f', 'lavfi', '-i', `${card},${box}`, '-pix_fmt', 'yuv420p', '-y', file]
  await promisify(execFile)(ffmpeg.path, options)
  return file
}

const indexed = async (file: string, options?: IndexOptions) => {
  const index = await open(await temporaryFolder())
  return { index, ...(await run(index, [file], options)) }
}

const spans = async (index: Index) =>
  (await pointsOf(index)).map(({ id, patch, t, until }) => ({ id, patch, t, until }))

const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1)

describe('a patch that looks as it did', () => {
  it('is not encoded again: its point reaches on until it changes', async () => {
    const { index, totals } = await indexed(await makeStill(join(await temporaryFolder(), 'still.mp4')))
    const found = await spans(index)
    // Of the squares of two thirds, the first.
    const upperLeft = found.filter(({ patch }) => patch === 3)
    expect(upperLeft).toHaveLength(1)
    expect(upperLeft[0]).toMatchObject({ t: 0, until: 11 })
    const lowerRight = found.filter(({ patch }) => patch === Math.max(...found.map((each) => each.patch)))
    expect(lowerRight.map(({ t, until }) => [t, until]).sort(([a], [b]) => a! - b!)).toEqual([
      [0, 3],
      [4, 7],
      [8, 11],
    ])
    expect(totals.points).toBe(found.length)
    expect(totals.encoded).toBe(found.length)
    expect(totals.encoded + totals.unchanged).toBe(totals.frames * (1 + Math.max(...found.map(({ patch }) => patch))))
  })

  it('stands for exactly the patches that a run without reuse encodes', async () => {
    const file = clip('street.mp4')
    const reused = await indexed(file, { decode: 'all' })
    const every = await indexed(file, { decode: 'all', tolerance: 0 })
    expect(reused.totals.encoded).toBeLessThan(every.totals.encoded)
    const found = await spans(reused.index)
    for (const { patch, t } of await spans(every.index)) {
      expect(found.filter((span) => span.patch === patch && span.t <= t && t <= span.until)).toHaveLength(1)
    }
    const vectors = await contents(every.index)
    for (const [id, vector] of await contents(reused.index)) {
      const same = vectors.get(id)!
      expect(vector.reduce((sum, x, i) => sum + x * same[i]!, 0)).toBeGreaterThan(0.9999)
    }
  })

  it('is encoded again once a slow change has added up', async () => {
    const file = join(await temporaryFolder(), 'dawn.mp4')
    const { ffmpeg } = await ffmpegVersions()
    const dawn = ['-f', 'lavfi', '-i', 'color=white:size=160x120:rate=10:duration=20,fade=in:st=0:d=20']
    await promisify(execFile)(ffmpeg.path, ['-v', 'error', ...dawn, '-pix_fmt', 'yuv420p', '-y', file])
    // 12 levels a second are a change each time; of 1.2 every tenth of a second several make one.
    const whole = { detail: 'whole', everySeconds: 0.1 } as const
    const { totals } = await indexed(file, whole)
    expect(totals.frames).toBe(200)
    expect(totals.encoded).toBeGreaterThan(20)
    expect(totals.encoded).toBeLessThan(100)
  })

  it('counts as changed at once with a tolerance of 0', async () => {
    const file = await makeStill(join(await temporaryFolder(), 'still.mp4'))
    const { index, totals } = await indexed(file, { tolerance: 0 })
    expect(totals.unchanged).toBe(0)
    expect((await spans(index)).every(({ t, until }) => t === until)).toBe(true)
  })
})

describe('reuse and what was there before', () => {
  it('goes on after an interruption to the same points and spans', async () => {
    const files = [clip('photos.mp4'), await makeStill(join(await temporaryFolder(), 'still.mp4'))]
    const index = await open(await temporaryFolder())
    for (const patience of [1, 3, 6, 10]) {
      const abort = new AbortController()
      let batches = 0
      const interrupted = async () => {
        for await (const event of index.ingest(files, { signal: abort.signal, jobs: 1 })) {
          if (event.type === 'progress' && ++batches >= patience) abort.abort()
        }
      }
      await interrupted().catch(() => {})
    }
    const { totals } = await run(index, files)
    expect(totals.complete).toBe(2)
    const undisturbed = await open(await temporaryFolder())
    await run(undisturbed, files)
    expect((await spans(index)).sort(byId)).toEqual((await spans(undisturbed)).sort(byId))
  })

  it('indexes a video again when the tolerance is another one', async () => {
    const file = await makeStill(join(await temporaryFolder(), 'still.mp4'))
    const { index, totals } = await indexed(file)
    expect((await run(index, [file])).totals.encoded).toBe(0)
    const every = (await run(index, [file], { tolerance: 0 })).totals
    expect(every.encoded).toBeGreaterThan(totals.encoded)
    expect(await index.store!.countPoints()).toBe(every.points)
  })

  it('tells how far it is while nothing has to be encoded', async () => {
    const { ffmpeg } = await ffmpegVersions()
    const file = join(await temporaryFolder(), 'nothing.mp4')
    const grey = ['-f', 'lavfi', '-i', 'color=gray:size=64x64:rate=5:duration=100']
    await promisify(execFile)(ffmpeg.path, ['-v', 'error', ...grey, '-pix_fmt', 'yuv420p', '-y', file])
    const { events, totals } = await indexed(file)
    expect(totals.frames).toBe(100)
    expect(totals.encoded).toBeLessThan(20)
    const told = events.flatMap((event) => (event.type === 'progress' ? [event.atSeconds] : []))
    expect(told.length).toBeGreaterThanOrEqual(3)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
  })
})
