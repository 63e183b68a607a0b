import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Index } from '../../src/index.ts'
import { type Started, start } from '../cli/program.ts'
import { askServer } from '../store/qdrant-place.ts'
import { contents, makeClip, open, pointsOf, run, temporaryFolder, tiny } from './indexing.ts'

const { QDRANT_URL: url, QDRANT_API_KEY: apiKey } = process.env
const [everySeconds, detail] = [0, 'low'] as const
const collection = () => `processes-${randomBytes(4).toString('hex')}`

/** Where several processes meet: an empty store each time. */
type Meeting = { readonly store: string; readonly collection: string }

const made: string[] = []
const places: Readonly<Record<string, () => Promise<Meeting>>> = {
  'an embedded store': async () => ({ store: join(await temporaryFolder(), 'store'), collection: 'videos' }),
  ...(url && {
    [`Qdrant at ${url}`]: async () => {
      made.push(collection())
      return { store: url, collection: made.at(-1)! }
    },
  }),
}

afterAll(async () => {
  for (const name of made.flatMap((name) => [name, `${name}-videos`])) {
    await askServer({ url: url!, apiKey }, 'DELETE', `/collections/${name}`)
  }
})

/** Moving all over, so that every patch of every frame is encoded: a second of work and more. */
const sources = [
  'life=ratio=0.2',
  'mandelbrot',
  'cellauto',
  'testsrc2',
  'life=ratio=0.4',
  'cellauto=rule=110',
  'testsrc',
]

/** Seven videos; of four of them a copy in a folder of its own, which falls into whatever shard. */
const makeFootage = async (folder: string): Promise<string> => {
  const footage = join(folder, 'footage')
  await mkdir(join(footage, 'copies'), { recursive: true })
  for (const [i, source] of sources.entries()) {
    const clip = await makeClip(join(footage, `${i}.mp4`), source, 3 + (i % 3))
    if (i < 4) await copyFile(clip, join(footage, 'copies', `again-${i}.mp4`))
  }
  return footage
}

/** What a collection holds, but for times of the clock and the order of copies. */
const stateOf = async (index: Index) => ({
  vectors: await contents(index),
  count: await index.store!.countPoints(),
  // The embedded store keeps boxes in 32 bits.
  points: new Map(
    (await pointsOf(index)).map(({ id, video, t, until, patch, box }) => [
      id,
      { video, t, until, patch, box: box.map(Math.fround) },
    ]),
  ),
  videos: (await index.videos()).map(({ video, status, files, frames, points, settings }) => {
    const paths = files.map(({ path }) => path).toSorted()
    return { video, status, paths, frames, points, settings }
  }),
})

let folder: string
let footage: string
/** What one process alone makes of the footage. */
let expected: Awaited<ReturnType<typeof stateOf>>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vidgrep-processes-'))
  footage = await makeFootage(folder)
  const alone = await open(join(folder, 'alone'))
  await run(alone, [footage], { everySeconds, detail })
  expected = await stateOf(alone)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const program = ({ store, collection }: Meeting, ...words: string[]): Started => {
  const place = ['--store', store, '--collection', collection]
  const options = ['--model', tiny, '--every', `${everySeconds}`, '--detail', detail]
  return start(['index', footage, ...place, ...options, ...words], apiKey ? { QDRANT_API_KEY: apiKey } : {})
}

const codesOf = async (processes: readonly Started[]) =>
  Promise.all(processes.map(async ({ ended }) => (await ended).code))

/** Kills a process when it has told of its first video, and so is in the middle of the next ones. */
const killMidway = async ({ child, ended }: Started): Promise<void> => {
  await new Promise<void>((resolve) => {
    child.stderr!.on('data', (text) => /\[1\//.test(text) && resolve())
    void ended.then(() => resolve())
  })
  child.kill('SIGKILL')
  expect((await ended).code).toBeNull()
}

describe.each(Object.keys(places))('several processes at once on %s', (place) => {
  let meeting: Meeting
  beforeEach(async () => {
    meeting = await places[place]!()
  })

  const expectAllOfIt = async (): Promise<void> => {
    const found = await stateOf(
      await open(meeting.store, { collection: meeting.collection, ...(apiKey && { apiKey }) }),
    )
    expect(found.videos).toEqual(expected.videos)
    expect(found.videos.flatMap(({ paths }) => paths)).toHaveLength(11)
    expect(found.count).toBe(expected.count)
    expect(found.points).toEqual(expected.points)
    expect([...found.vectors.keys()].toSorted()).toEqual([...expected.vectors.keys()].toSorted())
    for (const [id, vector] of expected.vectors) {
      expect(vector.reduce((sum, x, i) => sum + x * found.vectors.get(id)![i]!, 0)).toBeGreaterThan(0.99999)
    }
  }

  it('make the collection together and share its files', async () => {
    const shards = ['1/3', '2/3', '3/3'].map((shard) => program(meeting, '--shard', shard, '--json'))
    const ends = await Promise.all(shards.map(({ ended }) => ended))
    expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
      [0, ''],
    ])
    const totals = ends.map(({ stdout }) => JSON.parse(stdout).totals)
    expect(totals.map(({ videos, otherShards }) => videos + otherShards)).toEqual([11, 11, 11])
    expect(totals.reduce((sum, { videos }) => sum + videos, 0)).toBe(11)
    await expectAllOfIt()
  })

  it('may be given the very same files', async () => {
    expect(await codesOf([program(meeting), program(meeting)])).toEqual([0, 0])
    await expectAllOfIt()
  })

  it('go on when one of them is killed, and what it left is done by running it again', async () => {
    const [victim, other] = [program(meeting, '--shard=1/2'), program(meeting, '--shard=2/2')]
    await killMidway(victim)
    expect((await other.ended).code).toBe(0)
    expect((await program(meeting, '--shard=1/2').ended).code).toBe(0)
    await expectAllOfIt()
  })

  it('leave nothing undone where one that had the same files is killed', async () => {
    const [victim, other] = [program(meeting), program(meeting)]
    await killMidway(victim)
    expect((await other.ended).code).toBe(0)
    expect((await program(meeting).ended).code).toBe(0)
    await expectAllOfIt()
  })
})
