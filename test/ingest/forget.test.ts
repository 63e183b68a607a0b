import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Index } from '../../src/index.ts'
import { vidgrep } from '../cli/program.ts'
import { makeClip, open, pointsOf, run, temporaryFolder } from './indexing.ts'

let store: string
let here: string
let there: string
let index: Index
/** One video at here/a.mkv and there/a.mkv, another one at there/b.mkv. */
beforeEach(async () => {
  const folder = await temporaryFolder()
  ;[store, here, there] = [join(folder, 'store'), join(folder, 'here'), join(folder, 'there')]
  await mkdir(here)
  await mkdir(there)
  await copyFile(await makeClip(join(here, 'a.mkv'), 'testsrc2', 1), join(there, 'a.mkv'))
  await makeClip(join(there, 'b.mkv'), 'testsrc', 1)
  index = await open(store)
  await run(index, [here, there], { detail: 'whole' })
})

const places = async () => (await index.videos()).map(({ files }) => files.map(({ path }) => path)).sort()

describe('remove', () => {
  it('takes one place away; the video stays with its copies', async () => {
    const [a, copy, b] = [join(here, 'a.mkv'), join(there, 'a.mkv'), join(there, 'b.mkv')]
    expect(await index.remove([a])).toMatchObject([{ removed: [a], left: [copy] }])
    expect(await places()).toEqual([[copy], [b]])
    expect(new Set((await pointsOf(index)).map(({ path }) => path))).toEqual(new Set([copy, b]))
  })

  it('takes the video away with its last place', async () => {
    const [a, copy, b] = [join(here, 'a.mkv'), join(there, 'a.mkv'), join(there, 'b.mkv')]
    expect(await index.remove(['a.mkv'])).toMatchObject([{ removed: [a, copy], left: [] }])
    expect(await places()).toEqual([[b]])
    expect(await index.store!.countPoints()).toBe(1)
  })

  it.each([
    ['a folder', () => there],
    ['a glob', () => join(there, '*.mkv')],
  ])('takes %s away place by place', async (_, named) => {
    const [a, copy, b] = [join(here, 'a.mkv'), join(there, 'a.mkv'), join(there, 'b.mkv')]
    const removed = await index.remove([named()])
    expect(removed.map(({ removed, left }) => [removed, left]).sort()).toEqual([
      [[copy], [a]],
      [[b], []],
    ])
    expect(await places()).toEqual([[a]])
  })

  it('removes nothing where one of the names fits nothing', async () => {
    await expect(index.remove([here, 'never.mkv'])).rejects.toThrow('No video of the collection lies at never.mkv')
    expect(await places()).toHaveLength(2)
  })

  it('says on the command line what went and what stays', async () => {
    const [a, copy] = [join(here, 'a.mkv'), join(there, 'a.mkv')]
    expect(await vidgrep(['remove', a, '--store', store])).toMatchObject({
      code: 0,
      stdout: `removed  ${a}\n  kept   ${copy} (the same video)\n`,
    })
    const { stdout } = await vidgrep(['remove', copy, '--store', store, '--json'])
    expect(JSON.parse(stdout)).toEqual({
      removed: [copy],
      videos: [{ video: expect.stringMatching(/^[0-9a-f]{32}$/), removed: [copy], left: [] }],
    })
  })
})

describe('prune', () => {
  it('forgets files that are gone, and a video with its last place', async () => {
    const [a, copy, b] = [join(here, 'a.mkv'), join(there, 'a.mkv'), join(there, 'b.mkv')]
    await rm(a)
    await rm(b)
    expect((await index.prune({ dryRun: true })).toSorted()).toEqual([a, b])
    expect(await places()).toHaveLength(2)
    expect((await index.prune()).toSorted()).toEqual([a, b])
    expect(await places()).toEqual([[copy]])
    expect((await pointsOf(index)).map(({ path }) => path)).toEqual([copy])
    expect(await index.prune()).toEqual([])
  })

  it('refuses to forget everything, as a disk may be missing, unless it is told to', async () => {
    await rm(here, { recursive: true })
    await rm(there, { recursive: true })
    const refused = await vidgrep(['prune', '--store', store])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/is a disk missing\?[\s\S]*prune --all/)
    expect(await places()).toHaveLength(2)
    expect((await vidgrep(['prune', '--all', '--store', store, '--json'])).code).toBe(0)
    expect([await index.videos(), await index.store!.countPoints()]).toEqual([[], 0])
  })
})
