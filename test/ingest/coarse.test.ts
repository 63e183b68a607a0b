import { describe, expect, it } from 'vitest'
import type { Index, IndexOptions } from '../../src/index.ts'
import { clip, contents, open, pointsOf, run, temporaryFolder } from './indexing.ts'

const clips = [clip('bunny.mp4'), clip('street.mp4')]
const everySeconds = 2
const coarse = { coarse: true, everySeconds }

/** Ingests until something has happened so often, then breaks off. */
const until = async (index: Index, type: string, times: number, options: IndexOptions = {}): Promise<void> => {
  const abort = new AbortController()
  let seen = 0
  const ingest = async () => {
    for await (const event of index.ingest(clips, { ...coarse, signal: abort.signal, ...options })) {
      if (event.type === type && ++seen === times) abort.abort()
    }
  }
  await expect(ingest()).rejects.toThrow(/abort/)
}

const ids = async (index: Index): Promise<readonly string[]> => [...(await contents(index)).keys()].sort()

describe('a coarse run', () => {
  it('has all videos at one level before the next, and ends where any other run ends', async () => {
    const index = await open(await temporaryFolder())
    const searchable: { detail: string; patches: number; details: unknown[]; found: number }[] = []
    const told: string[] = []
    for await (const event of index.ingest(clips, coarse)) {
      told.push(event.type)
      if (event.type !== 'searchable') continue
      const { moments } = await index.search('a rabbit', { threshold: -100, n: 20 })
      searchable.push({
        detail: event.detail,
        patches: new Set((await pointsOf(index)).map(({ patch }) => patch)).size,
        details: (await index.videos()).map(({ status, detail }) => [status, detail]),
        found: new Set(moments.map(({ video }) => video)).size,
      })
    }
    expect(searchable).toEqual([
      { detail: 'whole', patches: 1, details: Array(2).fill(['complete', 'whole']), found: 2 },
      { detail: 'low', patches: 4, details: Array(2).fill(['complete', 'low']), found: 2 },
    ])
    expect(told.filter((type) => type === 'coarse')).toHaveLength(4)
    expect(told.lastIndexOf('coarse')).toBeLessThan(told.indexOf('video'))
    const plain = await open(await temporaryFolder())
    const { totals } = await run(plain, clips, { everySeconds })
    expect(await ids(index)).toEqual(await ids(plain))
    expect((await index.videos()).map(({ status, detail }) => [status, detail])).toEqual(
      Array(2).fill(['complete', 'normal']),
    )
    expect((await run(index, clips, coarse)).totals).toMatchObject({ encoded: 0, points: totals.points })
  })

  it('goes on in any pass after it was broken off, and encodes nothing twice', async () => {
    const index = await open(await temporaryFolder())
    await until(index, 'coarse', 1, { jobs: 1 })
    await until(index, 'searchable', 1)
    await until(index, 'searchable', 2)
    const low = await index.store!.countPoints()
    await until(index, 'progress', 4)
    const kept = await index.store!.countPoints()
    expect(kept).toBeGreaterThanOrEqual(low)
    const { totals } = await run(index, clips, { everySeconds })
    expect(totals.complete).toBe(2)
    expect(totals.encoded).toBe(totals.points - kept)
    const plain = await open(await temporaryFolder())
    await run(plain, clips, { everySeconds })
    expect(await ids(index)).toEqual(await ids(plain))
  })

  it('makes everything anew when it is forced to, once', async () => {
    const index = await open(await temporaryFolder())
    const { totals } = await run(index, [clip('bunny.mp4')], { everySeconds })
    const again = (await run(index, [clip('bunny.mp4')], { ...coarse, force: true })).totals
    expect(again).toMatchObject({ complete: 1, points: totals.points, encoded: totals.points })
  })

  it('is refused where there are no levels', async () => {
    const index = await open(await temporaryFolder())
    await expect(run(index, clips, { coarse: true, grid: 'article' })).rejects.toThrow('with levels of detail')
  })
})
