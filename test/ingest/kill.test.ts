import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { clip, contents, open, run, temporaryFolder } from './indexing.ts'

const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const clips = ['bunny.mp4', 'city.mpg', 'street.mp4'].map(clip)

/** Kills; chosen anew each time, but the same for the same seed (https://en.wikipedia.org/wiki/Xorshift). */
const kills = 10
const seed = Number(process.env.VIDGREP_TEST_SEED ?? (Date.now() % 2 ** 31) + 1)

const randoms = (state: number) => (): number => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) / 2 ** 32
}

/** Starts an ingest and kills it after so many milliseconds from its first sign of work. */
const killedIngest = (store: string, afterMs: number): Promise<NodeJS.Signals | null> =>
  new Promise((resolve, reject) => {
    const words = ['--import', 'tsx', program, 'index', ...clips, '--store', store, '--model', 'starter', '--json']
    const child = spawn(process.execPath, words, { stdio: 'ignore' })
    child.on('error', reject)
    child.on('exit', (_, signal) => resolve(signal))
    setTimeout(() => child.kill('SIGKILL'), afterMs)
  })

it('gives the same ids and vectors after ten kills as an undisturbed run', { timeout: 300_000 }, async () => {
  console.log(`seed ${seed} (VIDGREP_TEST_SEED)`)
  const random = randoms(seed)
  const undisturbed = await open(await temporaryFolder())
  await run(undisturbed, clips)
  const expected = await contents(undisturbed)

  const store = join(await temporaryFolder(), 'store')
  let killed = 0
  for (let i = 0; i < kills; i++) {
    if ((await killedIngest(store, 700 + random() * 3500)) === 'SIGKILL') killed += 1
  }
  expect(killed).toBeGreaterThan(0)
  const resumed = await open(store)
  const { totals } = await run(resumed, clips)
  expect(totals).toMatchObject({ complete: clips.length, partial: 0, failed: 0, points: expected.size })
  const found = await contents(resumed)
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
  // A batch is cut differently after a kill, and the runtime's sums round differently with it.
  for (const [id, vector] of expected) {
    const other = found.get(id)!
    expect(vector.reduce((sum, x, i) => sum + x * other[i]!, 0)).toBeGreaterThan(0.99999)
  }
})
