import { appendFile, copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Index, IndexOptions, IngestEvent } from '../../src/index.ts'
import { type Started, start } from '../cli/program.ts'
import { samplePoint, unitVector } from '../store/samples.ts'
import { makeClip, open, openEmpty, pointsOf, run, sawPoints, temporaryFolder, tiny } from './indexing.ts'

let store: string
let clips: string
beforeEach(async () => {
  const folder = await temporaryFolder()
  ;[store, clips] = [join(folder, 'store'), join(folder, 'clips')]
  await mkdir(clips)
})

/** No points without a record, none fewer than one says, and `complete` only where all are there. */
const expectTrue = async (index: Index): Promise<void> => {
  const records = await index.videos()
  let sum = 0
  for (const { video, status, points } of records) {
    const stored = await index.store!.countPoints(video)
    expect(stored).toBeGreaterThanOrEqual(points)
    if (status === 'complete') expect(stored).toBe(points)
    sum += stored
  }
  expect(await index.store!.countPoints()).toBe(sum)
}

/** Does something when an event of a type first comes. @returns what the run said of the files */
const meanwhile = async (
  index: Index,
  paths: readonly string[],
  type: IngestEvent['type'],
  action: () => Promise<unknown>,
  options: IndexOptions = {},
) => {
  const events: IngestEvent[] = []
  for await (const event of index.ingest(paths, { detail: 'whole', jobs: 1, ...options })) {
    if (event.type === type && !events.some((earlier) => earlier.type === type)) await action()
    events.push(event)
  }
  const results = events.flatMap((event) => (event.type === 'video' ? [event.result] : []))
  return { events, said: results.map(({ status, reason }) => [status, reason ?? '']) }
}

const whole = { detail: 'whole' } as const

describe('two processes', () => {
  let file: string
  let index: Index
  beforeEach(async () => {
    file = await makeClip(join(clips, 'a.mkv'), 'testsrc2', 60)
    index = await openEmpty(store)
  })

  /** Indexes every frame of the file in another process. @returns how that ends, once it has stored some of them */
  const indexElsewhere = async (): Promise<Pick<Started, 'ended'>> => {
    const options = ['--every', '0', '--detail', 'low', '--no-reuse', '--model', tiny]
    const { ended } = start(['index', file, ...options, '--store', store, '--json'])
    expect(await sawPoints(index, ended)).toBe(true)
    return { ended }
  }

  it.each([
    ['remove', () => index.remove(['a.mkv'])],
    ['prune', () => index.prune({ all: true })],
  ])('%s what the other one indexes, and nothing untrue is left', async (name, forget) => {
    const { ended } = await indexElsewhere()
    if (name === 'prune') await rename(file, `${file}.away`)
    await forget()
    const { code, stdout } = await ended
    expect([code, JSON.parse(stdout).videos[0].status]).toEqual([3, 'failed'])
    expect([await index.videos(), await index.store!.countPoints()]).toEqual([[], 0])
    if (name === 'prune') await rename(`${file}.away`, file)
    expect((await run(index, [file], whole)).totals).toMatchObject({ complete: 1, encoded: 60 })
    await expectTrue(index)
  })

  it('index one video with different settings, and no mixture is called complete', async () => {
    const { ended } = await indexElsewhere()
    const options = { ...whole, everySeconds: 0.7, tolerance: 0 }
    const second = await run(index, [file], options)
    expect((await ended).code).toBe(3)
    const [record] = await index.videos()
    expect(second.totals.complete).toBe(record?.status === 'complete' ? 1 : 0)
    await expectTrue(index)
    const { totals } = await run(index, [file], options)
    expect(totals).toMatchObject({ complete: 1 })
    expect(new Set((await pointsOf(index)).map(({ patch }) => patch))).toEqual(new Set([0]))
    await expectTrue(index)
  })
})

describe('while a video is indexed', () => {
  it.each([
    ['another run begins anew with other settings', { everySeconds: 0.5 }, 'partial', /other settings/],
    ['another run with the same settings is faster', {}, 'complete', /^$/],
    ['another run with the same settings is forced', { force: true }, 'complete', /^$/],
  ])('%s: %s', async (_, options, status, reason) => {
    const file = await makeClip(join(clips, 'a.mkv'), 'testsrc2', 4)
    const [index, other] = [await open(store), await open(store)]
    const { said } = await meanwhile(index, [file], 'started', () => run(other, [file], { ...whole, ...options }))
    expect(said).toEqual([[status, expect.stringMatching(reason)]])
    expect((await index.videos()).map(({ status }) => status)).toEqual(['complete'])
    await expectTrue(index)
  })

  it('its points go: it is not complete, and the next run makes it so', async () => {
    const file = await makeClip(join(clips, 'a.mkv'), 'testsrc2', 20)
    const index = await open(store)
    // 380 points in a run that is broken off, of which some are taken away while the next one counts on them.
    const abort = new AbortController()
    const brokenOff = meanwhile(index, [file], 'progress', async () => setTimeout(0, abort.abort()), {
      signal: abort.signal,
      tolerance: 0,
      detail: 'normal',
    })
    await expect(brokenOff).rejects.toThrow(/abort/)
    const [record] = await index.videos()
    expect(await index.store!.countPoints()).toBeGreaterThan(0)
    const { said } = await meanwhile(index, [file], 'started', () => index.store!.deletePoints(record!.video), {
      tolerance: 0,
      detail: 'normal',
    })
    expect(said).toEqual([['partial', expect.stringMatching(/points were changed/)]])
    await expectTrue(index)
    expect((await run(index, [file], whole)).totals).toMatchObject({ complete: 1 })
    await expectTrue(index)
  })

  it('the place that it is read from is removed: its copy keeps it, and the place does not come back', async () => {
    const [a, b] = [join(clips, 'a.mkv'), join(clips, 'b.mkv')]
    await copyFile(await makeClip(a, 'testsrc2', 4), b)
    const index = await open(store)
    await run(index, [clips], whole)
    const { said } = await meanwhile(index, [a], 'started', () => index.remove([a]), { everySeconds: 0.5 })
    expect(said).toEqual([['complete', '']])
    expect((await index.videos()).map(({ files }) => files.map(({ path }) => path))).toEqual([[b]])
    expect(new Set((await pointsOf(index)).map(({ path }) => path))).toEqual(new Set([b]))
    await expectTrue(index)
  })

  it('another process adds a copy of it: both places stay', async () => {
    const [a, b] = [join(clips, 'a.mkv'), join(clips, 'b.mkv')]
    await copyFile(await makeClip(a, 'testsrc2', 4), b)
    const [index, other] = [await open(store), await open(store)]
    await meanwhile(index, [a], 'started', () => run(other, [b], whole))
    expect((await index.videos()).map(({ files }) => files.map(({ path }) => path).sort())).toEqual([[a, b]])
    await expectTrue(index)
  })
})

it('starts from nothing where a process that was killed left points without a record', async () => {
  const file = await makeClip(join(clips, 'a.mkv'), 'testsrc2', 2)
  const index = await open(store)
  const { results } = await run(index, [file], whole)
  await index.remove([file])
  const stray = { video: results[0]!.video!, vector: unitVector(1, index.store!.collection.dimension) }
  await index.store!.upsert([samplePoint(1, stray)])
  expect((await run(index, [file], whole)).totals).toMatchObject({ complete: 1, points: 2 })
  await expectTrue(index)
})

describe('a file that is indexed', () => {
  it.each([
    ['grows', (file: string) => appendFile(file, 'more')],
    [
      'is replaced by another one',
      async (file: string) => {
        await rename(file, `${file}.old`)
        await makeClip(file, 'testsrc', 3)
      },
    ],
  ])('%s meanwhile: what was seen of it is not kept, and the next run has it right', async (_, change) => {
    const file = await makeClip(join(clips, 'a.mkv'), 'testsrc2', 60)
    const index = await open(store)
    const { said } = await meanwhile(index, [file], 'started', () => change(file))
    expect(said).toEqual([['failed', expect.stringMatching(/changed while it was indexed/)]])
    expect(await index.store!.countPoints()).toBe(0)
    const { results } = await run(index, [file], whole)
    expect((await index.videos()).map(({ video }) => video)).toEqual([results[0]!.video])
    await expectTrue(index)
  })

  it('stays what it was when it changes into something that fails', async () => {
    const file = await makeClip(join(clips, 'a.mkv'), 'testsrc2', 2)
    const index = await open(store)
    const before = await run(index, [file], whole)
    await makeClip(file, 'testsrc', 60)
    const { said } = await meanwhile(index, [file], 'started', () => appendFile(file, 'more'))
    expect(said).toEqual([['failed', expect.stringMatching(/changed while it was indexed/)]])
    expect(await index.store!.countPoints(before.results[0]!.video!)).toBe(2)
    await expectTrue(index)
  })

  it('vanishes after it was listed: it is failed, and reported as gone if it was known', async () => {
    const [a, b] = [join(clips, 'a.mkv'), join(clips, 'b.mkv')]
    await makeClip(a, 'testsrc2', 1)
    await makeClip(b, 'testsrc', 1)
    const index = await open(store)
    await run(index, [a], whole)
    const { events, said } = await meanwhile(index, [clips], 'found', () => rm(a))
    expect(said.sort()).toEqual([
      ['complete', ''],
      ['failed', `There is no file ${a}`],
    ])
    expect(events).toContainEqual({ type: 'vanished', path: a })
    await expectTrue(index)
  })

  it('vanishes while it is read: what was read is true, and it is reported as gone', async () => {
    const file = await makeClip(join(clips, 'a.mkv'), 'testsrc2', 2)
    const index = await open(store)
    const { events } = await meanwhile(index, [file], 'progress', () => rm(file))
    expect(events).toContainEqual({ type: 'vanished', path: file })
    await expectTrue(index)
  })
})
