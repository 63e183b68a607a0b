import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Index } from '../../src/index.ts'
import { start } from '../cli/program.ts'
import { contents, makeClip, open, openEmpty, run, sawPoints, temporaryFolder, tiny } from './indexing.ts'

/** Every frame of three clips: some seconds of work. */
const sources = ['testsrc2', 'mandelbrot', 'life=ratio=0.2']
const options = { everySeconds: 0, detail: 'low' } as const

/** Their times are chosen anew each time, but the same for the same seed (https://en.wikipedia.org/wiki/Xorshift). */
const kills = 4
const seed = Number(process.env.VIDGREP_TEST_SEED ?? (Date.now() % 2 ** 31) + 1)

const randoms = (state: number) => (): number => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) / 2 ** 32
}

/** Starts an ingest and kills it some time after its first write. @returns whether it was killed, and not done before */
const isKilled = async (index: Index, store: string, clips: string, afterMs: number): Promise<boolean> => {
  const before = await index.store!.countPoints()
  const words = ['index', clips, '--every', '0', '--detail', 'low', '--store', store, '--model', tiny]
  const { child, ended } = start(words)
  if (await sawPoints(index, ended, before)) await Promise.race([setTimeout(afterMs), ended])
  child.kill('SIGKILL')
  return (await ended).code === null
}

it('gives the same ids and vectors after several kills as an undisturbed run', async () => {
  console.log(`seed ${seed} (VIDGREP_TEST_SEED)`)
  const random = randoms(seed)
  const clips = await temporaryFolder()
  for (const [i, source] of sources.entries()) await makeClip(join(clips, `${i}.mp4`), source, 20)
  const undisturbed = await open(await temporaryFolder())
  await run(undisturbed, [clips], options)
  const expected = await contents(undisturbed)

  const store = join(await temporaryFolder(), 'store')
  const resumed = await openEmpty(store)
  let killed = 0
  for (let i = 0; i < kills; i++) if (await isKilled(resumed, store, clips, random() ** 2 * 800)) killed += 1
  // The first one at least has a thousand patches left when it has written the first.
  expect(killed).toBeGreaterThan(0)
  const { totals } = await run(resumed, [clips], options)
  expect(totals).toMatchObject({ complete: sources.length, partial: 0, failed: 0, points: expected.size })
  const found = await contents(resumed)
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
  // A batch is cut differently after a kill, and the runtime's sums round differently with it.
  for (const [id, vector] of expected) {
    const other = found.get(id)!
    expect(vector.reduce((sum, x, i) => sum + x * other[i]!, 0)).toBeGreaterThan(0.99999)
  }
})
