import {
  appendFile,
  copyFile,
  mkdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { Index, IndexOptions } from '../../src/index.ts'
import { ffmpegVersions } from '../../src/video/ffmpeg.ts'
import { clip, contents, copyClip, makeClip, open, pointsOf, run, temporaryFolder } from './indexing.ts'

describe('ingest', () => {
  it('encodes nothing the second time and says so', async () => {
    const folder = await temporaryFolder()
    const index = await open(folder)
    const first = await runWhole(index, [clip('bunny.mp4'), clip('city.mpg')])
    expect(first.totals.encoded).toBe(first.totals.points)
    const second = await runWhole(index, [clip('bunny.mp4'), clip('city.mpg')])
    expect(second.totals).toMatchObject({ complete: 2, encoded: 0, points: first.totals.points })
    await index.close()
    const third = await runWhole(await open(folder), [clip('bunny.mp4')])
    expect(third.totals).toMatchObject({ complete: 1, encoded: 0 })
  })

  it('does it again when forced, to the same points', async () => {
    const index = await open(await temporaryFolder())
    const first = await runWhole(index, [clip('bunny.mp4')])
    const before = await contents(index)
    const again = await runWhole(index, [clip('bunny.mp4')], { force: true })
    expect(again.totals.encoded).toBe(first.totals.encoded)
    expect([...(await contents(index)).keys()].sort()).toEqual([...before.keys()].sort())
  })

  it('indexes again when the settings differ, and leaves nothing of the old points', async () => {
    const index = await open(await temporaryFolder())
    await runWhole(index, [clip('bunny.mp4')], { tolerance: 0 })
    const { totals } = await runWhole(index, [clip('bunny.mp4')], { tolerance: 0, everySeconds: 2 })
    expect(totals.encoded).toBe(totals.frames)
    expect(await index.store!.countPoints()).toBe(totals.frames)
  })

  it('stores boxes and times that are true', async () => {
    const index = await open(await temporaryFolder())
    const { totals } = await run(index, [clip('photos.mp4')], { tolerance: 0, decode: 'all' })
    const points = await pointsOf(index)
    expect(points).toHaveLength(totals.points)
    expect(totals.points).toBe(totals.frames * 11)
    expect([...new Set(points.map(({ t }) => Math.round(t)))].sort((a, b) => a - b)).toEqual([...Array(16).keys()])
    for (const { box, patch, t, until } of points) {
      expect(until).toBeGreaterThanOrEqual(t)
      const [x, y, width, height] = box
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(0)
      expect(Math.max(x + width, y + height)).toBeLessThanOrEqual(1 + 1e-6)
      if (patch === 0) expect([...box]).toEqual([0, 0, 1, 1])
      else expect(height).toBeCloseTo(patch < 3 ? 1 : 2 / 3, 2)
    }
  })
})

describe('a finer level of detail', () => {
  const everySeconds = 2
  const file = clip('bunny.mp4')

  it('is added: nothing is encoded again, a coarser one changes nothing', async () => {
    const index = await open(await temporaryFolder())
    const normal = (await run(index, [file], { everySeconds })).totals
    const before = await contents(index)
    const high = (await run(index, [file], { everySeconds, detail: 'high' })).totals
    expect(high).toMatchObject({ complete: 1, encoded: high.points - normal.points })
    const after = await contents(index)
    for (const [id, vector] of before) expect(after.get(id)).toEqual(vector)
    const atOnce = await open(await temporaryFolder())
    await run(atOnce, [file], { everySeconds, detail: 'high' })
    expect([...after.keys()].sort()).toEqual([...(await contents(atOnce)).keys()].sort())
    expect((await run(index, [file], { everySeconds })).totals).toMatchObject({ encoded: 0, points: high.points })
    const [record] = await index.videos()
    expect(record).toMatchObject({ detail: 'high', status: 'complete', points: high.points })
    expect(record?.profile).toBeDefined()
  })

  it('that was broken off is reached by the next run, also by one that asks for less', async () => {
    const index = await open(await temporaryFolder())
    const whole = (await run(index, [file], { everySeconds, detail: 'whole' })).totals
    const abort = new AbortController()
    const brokenOff = async () => {
      for await (const { type } of index.ingest([file], { everySeconds, signal: abort.signal })) {
        if (type === 'progress') abort.abort()
      }
    }
    await expect(brokenOff()).rejects.toThrow(/abort/)
    const kept = await index.store!.countPoints()
    expect(kept).toBeGreaterThanOrEqual(whole.points)
    expect(await index.videos()).toMatchObject([{ status: 'partial', detail: 'normal' }])
    const { totals } = await run(index, [file], { everySeconds, detail: 'whole' })
    expect(totals).toMatchObject({ complete: 1, encoded: totals.points - kept })
    expect(await index.videos()).toMatchObject([{ status: 'complete', detail: 'normal', points: totals.points }])
  })
})

describe('identity', () => {
  it('adds a path for a moved, a renamed and a copied file, and encodes nothing', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const original = await copyClip('bunny.mp4', folder, 'a.mp4')
    await runWhole(index, [original])
    const moved = join(folder, 'moved.mp4')
    await rename(original, moved)
    expect((await runWhole(index, [moved])).totals).toMatchObject({ complete: 1, encoded: 0 })
    expect((await index.search('a rabbit', { n: 1, threshold: -100 })).moments[0]?.path).toBe(moved)
    expect((await pointsOf(index))[0]?.path).toBe(moved)
    const copy = await copyClip('bunny.mp4', folder, 'copy.mp4')
    expect((await runWhole(index, [copy])).totals.encoded).toBe(0)
    const [record, ...others] = await index.videos()
    expect(others).toEqual([])
    expect(record?.files.map(({ path }) => path)).toEqual(expect.arrayContaining([moved, copy]))
    expect((await index.search('a rabbit', { n: 1, threshold: -100, paths: [copy] })).moments[0]?.path).toBe(copy)
  })

  it('encodes two copies in one run once', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const copies = [await copyClip('bunny.mp4', folder, 'a.mp4'), await copyClip('bunny.mp4', folder, 'b.mp4')]
    const { results, totals } = await runWhole(index, copies, { jobs: 2 })
    expect(results.map(({ path }) => path).sort()).toEqual(copies)
    expect(totals.encoded).toBe(await index.store!.countPoints())
    expect((await index.videos())[0]?.files).toHaveLength(2)
  })

  it('replaces the points of a file whose content changed', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const file = await copyClip('bunny.mp4', folder, 'a.mp4')
    await runWhole(index, [file])
    await rm(file)
    await copyClip('city.mpg', folder, 'a.mp4')
    const { totals } = await runWhole(index, [file])
    expect(totals.encoded).toBeGreaterThan(0)
    expect(await index.videos()).toHaveLength(1)
    expect(await index.store!.countPoints()).toBe(totals.points)
  })

  it('encodes nothing when two files swap their names, or three pass theirs on', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const at = (name: string) => join(folder, 'cams', name)
    await mkdir(at(''))
    await makeClip(at('cam1.mp4'), 'testsrc', 2)
    await makeClip(at('cam2.mp4'), 'testsrc2', 2)
    await runWhole(index, [at('')])
    const before = new Map((await index.videos()).map(({ video, points }) => [video, points]))
    await rename(at('cam2.mp4'), at('cam3.mp4'))
    await rename(at('cam1.mp4'), at('cam2.mp4'))
    expect((await runWhole(index, [at('')], { jobs: 2 })).totals).toMatchObject({ complete: 2, encoded: 0 })
    await rename(at('cam3.mp4'), at('x.mp4'))
    await rename(at('cam2.mp4'), at('cam3.mp4'))
    await rename(at('x.mp4'), at('cam2.mp4'))
    expect((await runWhole(index, [at('')], { jobs: 1 })).totals).toMatchObject({ complete: 2, encoded: 0 })
    const points = await pointsOf(index)
    expect(await index.videos()).toHaveLength(before.size)
    for (const { video, files } of await index.videos()) {
      expect(points.filter((point) => point.video === video)).toHaveLength(before.get(video)!)
      expect(files.length).toBeGreaterThan(0)
    }
  })

  it('keeps every one of several copies that turn up together', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    await mkdir(join(folder, 'in'))
    const first = await makeClip(join(folder, 'in', 'a.mp4'), 'testsrc', 2)
    await runWhole(index, [first])
    const copies = ['b', 'c', 'd', 'e'].map((name) => join(folder, 'in', `${name}.mp4`))
    for (const copy of copies) await copyFile(first, copy)
    expect((await runWhole(index, [join(folder, 'in')], { jobs: 4 })).totals).toMatchObject({ videos: 5, encoded: 0 })
    expect((await index.videos())[0]?.files.map(({ path }) => path).sort()).toEqual([first, ...copies])
  })

  it('loses nothing when one of two copies becomes another video while the other is indexed again', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    await mkdir(join(folder, 'in'))
    const [a, b] = [join(folder, 'in', 'a.mp4'), join(folder, 'in', 'b.mp4')]
    await makeClip(a, 'testsrc', 2)
    await copyFile(a, b)
    await runWhole(index, [join(folder, 'in')])
    await makeClip(b, 'testsrc2', 6)
    const { totals } = await runWhole(index, [join(folder, 'in')], { jobs: 2, force: true })
    expect(totals).toMatchObject({ complete: 2, partial: 0, failed: 0 })
    expect(await index.store!.countPoints()).toBe(totals.points)
    expect((await index.videos()).map(({ files }) => files.map(({ path }) => path)).sort()).toEqual([[a], [b]])
  })

  it('reads a touched file, but does not encode it again', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const file = await copyClip('bunny.mp4', folder)
    await runWhole(index, [file])
    await utimes(file, new Date(), new Date())
    expect((await runWhole(index, [file])).totals.encoded).toBe(0)
  })

  it('reports files that are gone', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const clips = join(folder, 'clips')
    await mkdir(clips)
    const gone = await copyClip('bunny.mp4', clips)
    await copyClip('city.mpg', clips)
    await runWhole(index, [clips])
    await rm(gone)
    const { events } = await runWhole(index, [clips])
    expect(events).toContainEqual({ type: 'vanished', path: gone })
    expect(await index.videos()).toHaveLength(2)
  })
})

describe('bad input', () => {
  it('keeps what a truncated video still shows, says how far it got, and goes on with the others', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const whole = await makeClip(join(folder, 'whole.mkv'), 'testsrc', 20)
    await truncate(whole, Math.floor((await readFile(whole)).length / 2))
    await copyClip('bunny.mp4', folder)
    const { results, totals } = await runWhole(index, [folder])
    expect(totals).toMatchObject({ videos: 2, complete: 1, partial: 1 })
    const partial = results.find(({ status }) => status === 'partial')
    expect(partial?.frames).toBeGreaterThan(3)
    expect(partial?.frames).toBeLessThan(20)
    expect(partial?.reason).toMatch(/\d/)
    expect((await runWhole(index, [whole])).totals).toMatchObject({ partial: 1, encoded: 0 })
  })

  describe('that was found out once', () => {
    const decoded = async (index: Index, file: string, options: IndexOptions = {}) => {
      const { events, results } = await runWhole(index, [file], options)
      expect(results.map(({ status }) => status)).toEqual(['partial'])
      return events.some(({ type }) => type === 'started')
    }
    const makeDamaged = async (folder: string): Promise<string> => {
      const file = await makeClip(join(folder, 'damaged.mkv'), 'testsrc', 6)
      await truncate(file, Math.floor((await readFile(file)).length / 2))
      return file
    }

    it('is reported each time, and decoded again only if the file, the settings or the tools changed', async () => {
      const folder = await temporaryFolder()
      const index = await open(join(folder, 'store'))
      const file = await makeDamaged(folder)
      expect(await decoded(index, file)).toBe(true)
      const [record] = await index.videos()
      expect(record?.tools).toMatch(/^vidgrep \d.*, ffmpeg \S+$/)
      expect(await decoded(index, file)).toBe(false)
      await utimes(file, new Date(), new Date())
      expect(await decoded(index, file)).toBe(false)
      expect(await decoded(index, await copyTo(file, join(folder, 'copy.mkv')))).toBe(false)
      expect(await decoded(index, file, { force: true })).toBe(true)
      expect(await decoded(index, file, { everySeconds: 0.5 })).toBe(true)
      expect(await decoded(index, file, { everySeconds: 0.5 })).toBe(false)
      await index.store!.changeRecord(record!.video, (now) => now && { ...now, tools: 'vidgrep 0.0.1, ffmpeg 4' })
      expect(await decoded(index, file, { everySeconds: 0.5 })).toBe(true)
      await truncate(file, Math.floor((await readFile(file)).length * 0.8))
      expect(await decoded(index, file, { everySeconds: 0.5 })).toBe(true)
      expect(await index.store!.countPoints()).toBe((await index.videos()).reduce((sum, { points }) => sum + points, 0))
    })

    it('is tried again where ffmpeg was ended by somebody', async () => {
      const folder = await temporaryFolder()
      const index = await open(join(folder, 'store'))
      const file = await makeClip(join(folder, 'whole.mkv'), 'testsrc', 6)
      const { ffmpeg } = await ffmpegVersions()
      const deadly = join(folder, 'ffmpeg.sh')
      await writeFile(deadly, `#!/bin/sh\n[ "$1" = -version ] && exec ${ffmpeg.path} -version\nkill -9 $$\n`, {
        mode: 0o755,
      })
      vi.stubEnv('VIDGREP_FFMPEG', deadly)
      const { results } = await runWhole(index, [file])
      vi.unstubAllEnvs()
      expect(results).toMatchObject([{ status: 'failed', reason: expect.stringContaining('SIGKILL') }])
      expect((await runWhole(index, [file])).totals).toMatchObject({ complete: 1 })
    })
  })

  it('names what is no video, skips what does not look like one, and follows no link out', async () => {
    const folder = await temporaryFolder()
    const clips = join(folder, 'clips')
    await mkdir(clips)
    await writeFile(join(clips, 'empty.mp4'), '')
    await writeFile(join(clips, 'text.mp4'), 'not a video, really')
    await writeFile(join(clips, 'notes.txt'), 'x')
    const outside = await copyClip('city.mpg', folder)
    await symlink(outside, join(clips, 'link.mpg'))
    await copyClip('bunny.mp4', clips)
    const { totals, results } = await runWhole(await open(join(folder, 'store')), [clips])
    expect(totals).toMatchObject({ videos: 3, complete: 1, failed: 2 })
    expect(totals.skipped).toBeGreaterThanOrEqual(1)
    for (const { reason } of results.filter(({ status }) => status === 'failed')) expect(reason).toBeTruthy()
  })

  it('replaces what a damaged copy gave when the file is whole again', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const file = await copyClip('earth.mp4', folder)
    const bytes = await readFile(file)
    await writeFile(file, bytes.subarray(0, bytes.length / 2))
    await runWhole(index, [file])
    await writeFile(file, bytes)
    const { totals } = await runWhole(index, [file])
    expect(totals).toMatchObject({ complete: 1 })
    expect(await index.videos()).toHaveLength(1)
    expect(await index.store!.countPoints()).toBe(totals.points)
  })

  it('takes trailing bytes for what they are: another file', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const file = await copyClip('city.mpg', folder)
    const first = (await runWhole(index, [file])).results[0]
    await appendFile(file, 'x')
    const second = (await runWhole(index, [file])).results[0]
    expect(second?.video).not.toBe(first?.video)
    expect(await index.videos()).toHaveLength(1)
  })
})

describe('interruption', () => {
  it('ends on a signal, keeps what is durable and goes on from there', async () => {
    const clips = [clip('photos.mp4'), clip('street.mp4')]
    const options = { tolerance: 0, everySeconds: 0.5 }
    const index = await open(await temporaryFolder())
    const abort = new AbortController()
    const interrupted = async () => {
      let encoded = 0
      for await (const event of index.ingest(clips, { ...options, signal: abort.signal })) {
        if (event.type === 'progress') encoded += event.encoded
        if (encoded > 300) abort.abort()
      }
    }
    await expect(interrupted()).rejects.toThrow(/abort/)
    const kept = await index.store!.countPoints()
    expect(kept).toBeGreaterThanOrEqual(256)
    const { totals } = await run(index, clips, options)
    expect(totals.complete).toBe(2)
    expect(totals.encoded).toBe(totals.points - kept)
    const undisturbed = await open(await temporaryFolder())
    await run(undisturbed, clips, options)
    expect([...(await contents(index)).keys()].sort()).toEqual([...(await contents(undisturbed)).keys()].sort())
  })
})

/** Whole frames alone: enough to follow a file, and a tenth of the work. */
const runWhole = (index: Index, paths: readonly string[], options: IndexOptions = {}) =>
  run(index, paths, { detail: 'whole', ...options })

const copyTo = async (file: string, copy: string): Promise<string> => {
  await copyFile(file, copy)
  return copy
}
