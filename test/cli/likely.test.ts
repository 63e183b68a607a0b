import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeClip, temporaryFolder } from '../ingest/indexing.ts'
import { vidgrep } from './program.ts'

it('search says what is likely, shows what is weak below a line, and leaves it out when told so', async () => {
  const home = await temporaryFolder()
  const mine = join(home, 'mine')
  // A model without a threshold: what is likely comes from the videos.
  await cp(join(import.meta.dirname, '../../models/starter'), mine, { recursive: true })
  const { threshold: _, ...description } = JSON.parse(await readFile(join(mine, 'model.json'), 'utf8'))
  await writeFile(join(mine, 'model.json'), JSON.stringify({ ...description, id: 'mine-1', name: 'mine' }))
  await makeClip(join(home, 'a.mp4'), 'testsrc', 1)
  const call = (...words: string[]) => vidgrep([...words, '--model', mine], { VIDGREP_HOME: home })
  await call('index', join(home, 'a.mp4'))
  const search = (...words: string[]) => call('search', 'a colourful test picture', ...words)

  const { cutoff, bestScore, moments } = JSON.parse((await search('--json')).stdout)
  expect(cutoff).toBeGreaterThan(0)
  expect(moments[0]).toMatchObject({ score: bestScore, likely: bestScore >= cutoff })
  const everything = await search('--strictness', '0', '--likely')
  expect(everything).toMatchObject({ stderr: '', stdout: expect.stringContaining('a.mp4') })
  const strict = await search('--strictness', '1')
  expect(strict).toMatchObject({ code: 0, stdout: everything.stdout })
  expect(strict.stderr).toBe('Nothing here looks like that; nearest:\n')
  const none = await search('--strictness', '1', '--likely')
  expect(none).toMatchObject({ code: 0, stdout: '' })
  expect(none.stderr).toMatch(/^Nothing here looks like that; the best score was \d+\.\d\d\.$/m)
})
