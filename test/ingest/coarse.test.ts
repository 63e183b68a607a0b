import { describe, expect, it } from 'vitest'
import type { Index, IndexOptions } from '../../src/index.ts'
import { clip, contents, open, pointsOf, run, temporaryFolder } from './indexing.ts'

const clips = [clip('bunny.mp4'), clip('street.mp4')]

/** Ingests until something has happened so often, then breaks off. */
const until = async (index: Index, type: string, times: number, options: IndexOptions = {}): Promise<void> => {
  const abort = new AbortController()
  let seen = 0
  const ingest = async () => {
    for await (const event of index.ingest(clips, { coarse: true, signal: abort.signal, ...options })) {
      if (event.type === type && ++seen === times) abort.abort()
    }
  }
  await expect(ingest()).rejects.toThrow(/abort/)
}

const patches = async (index: Index): Promise<readonly number[]> => [
  ...new Set((await pointsOf(index)).map(({ patch }) => patch)),
]

const ids = async (index: Index): Promise<readonly string[]> => [...(await contents(index)).keys()].sort()

describe('a coarse run', () => {
  it('has all whole frames before the first square, and ends where any other run ends', async () => {
    const index = await open(await temporaryFolder())
    let searchable: { patches: readonly number[]; statuses: unknown[]; frames: number; found: number } | undefined
    const told: string[] = []
    for await (const event of index.ingest(clips, { coarse: true })) {
      told.push(event.type)
      if (event.type !== 'searchable') continue
      const videos = await index.videos()
      const { moments } = await index.search('a rabbit', { threshold: -100, n: 20 })
      searchable = {
        patches: await patches(index),
        statuses: videos.map(({ status, hasWholeFrames }) => [status, hasWholeFrames]),
        frames: videos.reduce((sum, { frames }) => sum + frames, 0),
        found: new Set(moments.map(({ video }) => video)).size,
      }
    }
    expect(searchable).toEqual({ patches: [0], statuses: Array(2).fill(['partial', true]), frames: 16, found: 2 })
    expect(told.filter((type) => type === 'coarse')).toHaveLength(2)
    expect(told.lastIndexOf('coarse')).toBeLessThan(told.indexOf('video'))
    const plain = await open(await temporaryFolder())
    const { totals } = await run(plain, clips)
    expect(await ids(index)).toEqual(await ids(plain))
    expect((await index.videos()).map(({ status, hasWholeFrames }) => [status, hasWholeFrames])).toEqual(
      Array(2).fill(['complete', undefined]),
    )
    expect((await run(index, clips, { coarse: true })).totals).toMatchObject({ encoded: 0, points: totals.points })
  })

  it('goes on in either pass after it was broken off, and encodes no whole frame twice', async () => {
    const index = await open(await temporaryFolder())
    await until(index, 'coarse', 1, { jobs: 1 })
    await until(index, 'searchable', 1)
    const whole = await index.store!.countPoints()
    await until(index, 'progress', 4)
    expect((await index.videos()).every(({ hasWholeFrames }) => hasWholeFrames)).toBe(true)
    const kept = await index.store!.countPoints()
    expect(kept).toBeGreaterThanOrEqual(whole)
    const { totals } = await run(index, clips)
    expect(totals.complete).toBe(2)
    expect(totals.encoded).toBe(totals.points - kept)
    const plain = await open(await temporaryFolder())
    await run(plain, clips)
    expect(await ids(index)).toEqual(await ids(plain))
  })

  it('makes everything anew when it is forced to, once', async () => {
    const index = await open(await temporaryFolder())
    const { totals } = await run(index, [clip('bunny.mp4')])
    const again = (await run(index, [clip('bunny.mp4')], { coarse: true, force: true })).totals
    expect(again).toMatchObject({ complete: 1, points: totals.points, encoded: totals.points })
  })

  it('is refused where there are no whole frames to begin with', async () => {
    const index = await open(await temporaryFolder())
    await expect(run(index, clips, { coarse: true, grid: 'article' })).rejects.toThrow('whole frames and squares')
  })
})
