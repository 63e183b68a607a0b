import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { carriedClips, clipsIn, secondsOf } from '../../bench/clips.ts'
import { playedOver } from '../../bench/footage.ts'
import { runProcess } from '../../bench/process.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vidgrep-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a folder gives its videos, and the queries of its table without their seconds', async () => {
  const { files, queries, videoSeconds } = await clipsIn(carriedClips)
  expect(files).toHaveLength(5)
  expect(videoSeconds).toBeCloseTo(68.9, 0)
  expect(queries).toHaveLength(13)
  expect(queries).toContainEqual({ file: 'photos.mp4', text: 'a cat' })
})

test('a folder without a table has no queries', async () => {
  expect(await clipsIn(folder)).toMatchObject({ files: [], queries: [], videoSeconds: 0 })
})

test('a stretch of a clip is played over until the video is as long as asked for', async () => {
  const clip = join(carriedClips, 'earth.mp4')
  const whole = await playedOver(clip, 70, join(folder, 'whole.mp4'))
  const part = await playedOver(clip, 40, join(folder, 'part.mp4'), { stretch: { from: 0, frames: 125 } })
  expect(await secondsOf([whole])).toBeCloseTo(70, 0)
  expect(await secondsOf([part])).toBeCloseTo(40, 0)
})

test('a process is measured with all that it starts, and says why it failed', async () => {
  const inner = 'const kept = Buffer.alloc(3e8, 1); setTimeout(() => console.log(kept.length), 500)'
  const outer = `require('child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(inner)}], { stdio: 'inherit' })`
  const { stdout, peakMB } = await runProcess(process.execPath, ['-e', outer])
  expect(stdout.trim()).toBe('300000000')
  if (process.platform === 'linux') expect(peakMB).toBeGreaterThan(300)
  await expect(runProcess(process.execPath, ['-e', 'console.error("no luck"); process.exit(4)'])).rejects.toThrow(
    'no luck',
  )
})
