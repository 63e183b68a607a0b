import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type IngestEvent, ModelMismatchError, type Reindexed, reindex, type VideoRecord } from '../src/index.ts'
import { draftName } from '../src/reindex.ts'
import { makeClip, open, run, temporaryFolder, tiny } from './ingest/indexing.ts'
import { startStandIn } from './store/stand-in/server.ts'

let folder: string
let clips: string
let store: string
/** The tiny model under another id: a model of its own, as far as a collection can tell. */
let mine: string

type Followed = Reindexed & { readonly events: readonly IngestEvent[] }

const follow = async (options: Partial<Parameters<typeof reindex>[0]> = {}): Promise<Followed> => {
  const generator = reindex({ store, model: mine, ...options })
  const events: IngestEvent[] = []
  for (;;) {
    const { done, value } = await generator.next()
    if (done) return { ...value, events }
    events.push(value)
  }
}

/** Indexes with the tiny model and gives the records. */
const indexed = async (where = store): Promise<readonly VideoRecord[]> => {
  const index = await open(where)
  await run(index, [join(clips, 'a.mp4')])
  await run(index, [join(clips, 'b.mp4')], { everySeconds: 0.5, detail: 'whole' })
  return index.videos()
}

const openWith = (model: string, where = store) => open(where, { model })

describe('reindex', () => {
  beforeEach(async () => {
    folder = await temporaryFolder()
    ;[clips, store, mine] = [join(folder, 'clips'), join(folder, 'store'), join(folder, 'mine')]
    await cp(tiny, mine, { recursive: true })
    const description = JSON.parse(await readFile(join(mine, 'model.json'), 'utf8'))
    await writeFile(join(mine, 'model.json'), JSON.stringify({ ...description, id: 'mine@1', name: 'mine' }))
    await mkdir(clips)
    await makeClip(join(clips, 'a.mp4'), 'testsrc', 3)
    await makeClip(join(clips, 'b.mp4'), 'smptebars', 2)
  })

  it('moves a collection to another model, each video with the settings that it had', async () => {
    const before = await indexed()
    const { events: _, ...done } = await follow()
    expect(done).toMatchObject({ collection: 'vidgrep', before: 'tiny-1', model: 'mine@1', switched: true })
    expect(done).toMatchObject({ vanished: [], worse: [], totals: { videos: 2, complete: 2 } })
    const after = await openWith(mine)
    const facts = ({ video, files, status, settings, frames, points }: VideoRecord) => ({
      ...{ video, files, status, settings, frames, points },
    })
    const records = await after.videos()
    expect(records.map(facts)).toEqual(before.map(facts))
    expect(records.every(({ model }) => model === 'mine@1')).toBe(true)
    expect((await after.search('a test picture', { threshold: -100 })).moments.length).toBeGreaterThan(0)
    expect((await run(after, [join(clips, 'a.mp4')])).totals.encoded).toBe(0)
    await expect(openWith(tiny)).rejects.toBeInstanceOf(ModelMismatchError)
  })

  it('does so on a Qdrant server', async () => {
    const server = await startStandIn()
    await indexed(server.url)
    expect(await follow({ store: server.url })).toMatchObject({ switched: true })
    const after = await openWith(mine, server.url)
    expect(await after.videos()).toHaveLength(2)
    expect((await after.search('a test picture', { threshold: -100 })).moments.length).toBeGreaterThan(0)
    await server.close()
  })

  it('goes on where it was broken off, and keeps the old model in force until then', async () => {
    await indexed()
    for await (const event of reindex({ store, model: mine })) if (event.type === 'video') break
    const old = await openWith(tiny)
    expect(await old.videos()).toHaveLength(2)
    expect((await old.search('a test picture', { threshold: -100 })).moments.length).toBeGreaterThan(0)
    const { totals, switched } = await follow()
    expect(switched).toBe(true)
    expect(totals!.encoded).toBeLessThan(totals!.points)
  })

  it('brings back nothing that was removed while it was broken off', async () => {
    await indexed()
    for await (const event of reindex({ store, model: mine })) if (event.type === 'video') break
    await (await openWith(tiny)).remove(['a.mp4'])
    await follow()
    expect((await (await openWith(mine)).videos()).map(({ files }) => files[0]!.path)).toEqual([join(clips, 'b.mp4')])
  })

  it('takes along what another process indexes meanwhile', async () => {
    await indexed()
    const other = await openWith(tiny)
    await makeClip(join(clips, 'c.mp4'), 'rgbtestsrc', 1)
    let added = false
    for await (const event of reindex({ store, model: mine })) {
      if (event.type === 'video' && !added) await run(other, [join(clips, 'c.mp4')])
      added ||= event.type === 'video'
    }
    expect(await (await openWith(mine)).videos()).toHaveLength(3)
  })

  it('does not switch when a file is gone or became unreadable, unless it is forced to', async () => {
    await indexed()
    await rename(join(clips, 'a.mp4'), join(folder, 'elsewhere.mp4'))
    await writeFile(join(clips, 'b.mp4'), 'no video any more')
    const kept = await follow()
    expect(kept.switched).toBe(false)
    expect(kept.vanished).toEqual([join(clips, 'a.mp4')])
    expect([...kept.worse].sort()).toEqual([join(clips, 'a.mp4'), join(clips, 'b.mp4')])
    expect(await (await openWith(tiny)).videos()).toHaveLength(2)
    const forced = await follow({ force: true })
    expect(forced).toMatchObject({ switched: true, worse: kept.worse })
    expect((await (await openWith(mine)).videos()).map(({ status }) => status)).toEqual(['failed'])
  })

  it('does not mind a copy that is gone', async () => {
    await cp(join(clips, 'a.mp4'), join(clips, 'copy.mp4'))
    const index = await open(store)
    await run(index, [clips])
    await rm(join(clips, 'copy.mp4'))
    expect(await follow()).toMatchObject({ switched: true, vanished: [join(clips, 'copy.mp4')], worse: [] })
  })

  it('has nothing to do for the model that is there', async () => {
    await indexed()
    expect(await follow({ model: tiny })).toMatchObject({ switched: true, totals: undefined, events: [] })
  })
})

describe('the name of the collection that is filled', () => {
  it.each([
    ['vidgrep', 'mine@1', 'vidgrep--mine-1'],
    ['a', 'hf:org/name@abc', 'a--hf-org-name-abc'],
    ['x'.repeat(190), 'y'.repeat(30), `${'x'.repeat(190)}--yyyyyyyy`],
  ])('of %s and %s is a name that stores take', (collection, model, expected) => {
    expect(draftName(collection, model)).toBe(expected)
  })
})
