import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { findFiles } from '../../src/files/find.ts'
import { shardTest } from '../../src/files/shard.ts'
import type { Shard } from '../../src/index.ts'
import { clip, copyClip, makeClip, open, run, temporaryFolder } from '../ingest/indexing.ts'

/** Which of `of` shards takes the path: exactly one has to. */
const shardOf = (path: string, of: number, roots: readonly string[]): number => {
  const takers = Array.from({ length: of }, (_, i) => i + 1).filter((i) => shardTest(`${i}/${of}`, roots)(path))
  expect(takers).toHaveLength(1)
  return takers[0]!
}

const name = fc.stringMatching(/^[a-zA-Z0-9_ äé-]{1,12}$/)

describe('a shard', () => {
  it('takes each file in exactly one of its parts', () => {
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 40 }), (names, of) => {
        shardOf(join('/footage', ...names), of, ['/footage'])
      }),
    )
  })

  it('is the SHA-256 of the path, so that machines with different versions agree', () => {
    // python3: int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], 'big') % 8 + 1
    const names = ['a.mp4', '2024/trip.mov', 'cam 7/00001.MTS', 'Übung.mkv']
    expect(names.map((name) => shardOf(`/footage/${name}`, 8, ['/footage']))).toEqual([1, 8, 5, 6])
  })

  it('takes the same file wherever the folder is mounted, and however the accent of its name is written', () => {
    const places = ['/mnt/nas/footage', '/Volumes/film', '/']
    for (const file of ['a.mp4', '2024/trip.mov', 'Übung/é.mkv']) {
      const mounted = places.map((root) => shardOf(join(root, file), 16, [root]))
      const taken = places.map((root) => shardOf(join(root, file.normalize('NFD')), 16, [root]))
      const accented = shardOf(join('/Cafe\u0301', file), 16, ['/Caf\u00e9'])
      expect(new Set([...mounted, ...taken, accented]).size).toBe(1)
    }
  })

  it('takes a file by the outermost folder that was named, in whatever order they were', () => {
    const orders = [
      ['/footage', '/footage/2024', '/footage/2024/a.mp4'],
      ['/footage/2024/a.mp4', '/footage/2024', '/footage'],
    ]
    for (const roots of orders) {
      expect(shardOf('/footage/2024/a.mp4', 1000, roots)).toBe(shardOf('/footage/2024/a.mp4', 1000, ['/footage']))
    }
    expect(shardOf('/footage/a.mp4', 1000, ['/footage/a.mp4'])).toBe(shardOf('/footage/a.mp4', 1000, ['/footage']))
  })

  it('is as large as the others', () => {
    const files = Array.from({ length: 8000 }, (_, i) => `/footage/2024/GOPR${String(i).padStart(4, '0')}.MP4`)
    const sizes = Array.from({ length: 8 }, (_, i) => files.filter(shardTest(`${i + 1}/8`, ['/footage'])).length)
    // Eight standard deviations of what chance would do: 30 files.
    for (const size of sizes) expect(Math.abs(size - 1000)).toBeLessThan(8 * 30)
  })

  it.each(['', '1', '0/4', '5/4', 'a/b', '1.5/4', '1/0', '-1/4', ' 1/4', '1/4/2', '1e0/4', '1/1e1', '1/1000001'])(
    'is refused where it is none: %j',
    (shard) => {
      expect(() => shardTest(shard, [])).toThrow(UsageError)
      expect(() => shardTest(shard, [])).toThrow(/from 1 to n .*got "/)
    },
  )
})

describe('finding files', () => {
  it('gives every file and everything skipped to one shard, in the order of all', async () => {
    const all = await findFiles([clip('')])
    const parts = await Promise.all([1, 2, 3].map((i) => findFiles([clip('')], { shard: `${i}/3` })))
    expect(parts.flatMap(({ paths }) => paths).sort()).toEqual(all.paths)
    expect(parts.flatMap(({ skipped }) => skipped)).toEqual(all.skipped)
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(all.bytes)
    for (const { paths, otherShards } of parts) {
      expect(paths.length + otherShards).toBe(all.paths.length)
      expect(paths).toEqual(all.paths.filter((path) => paths.includes(path)))
    }
  })
})

describe('indexing in shards', () => {
  it('fills one collection, counts what is left to the others, and tells a vanished file once', async () => {
    const folder = await temporaryFolder()
    const clips = join(folder, 'clips')
    await mkdir(clips)
    for (let i = 0; i < 6; i++) await makeClip(join(clips, `${i}.mp4`), 'testsrc2', i + 1)
    const index = await open(join(folder, 'store'))
    const shards: readonly Shard[] = ['1/3', '2/3', '3/3']
    const runAll = async () => {
      const runs = []
      for (const shard of shards) runs.push(await run(index, [clips], { shard, detail: 'whole' }))
      return runs
    }
    const runs = await runAll()
    for (const { totals } of runs) {
      expect(totals).toMatchObject({ complete: totals.videos, otherShards: 6 - totals.videos, skipped: 0 })
    }
    expect(runs.flatMap(({ results }) => results.map(({ path }) => path)).sort()).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => join(clips, `${i}.mp4`)),
    )
    expect(await index.videos()).toHaveLength(6)

    const gone = join(clips, '3.mp4')
    await rm(gone)
    const vanished = (await runAll()).flatMap(({ events }) => events.filter(({ type }) => type === 'vanished'))
    expect(vanished).toEqual([{ type: 'vanished', path: gone }])
  })

  it('of the wrong kind makes no collection', async () => {
    const folder = await temporaryFolder()
    const index = await open(join(folder, 'store'))
    const file = await copyClip('bunny.mp4', folder)
    await expect(run(index, [file], { shard: '5/4' })).rejects.toThrow(UsageError)
    expect(index.store).toBeUndefined()
  })
})
