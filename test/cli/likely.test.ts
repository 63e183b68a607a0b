import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeClip, open, run, temporaryFolder } from '../ingest/indexing.ts'
import { vidgrep } from './program.ts'

it('search says what is likely, shows what is weak below a line, and leaves it out when told so', async () => {
  const home = await temporaryFolder()
  const mine = join(home, 'mine')
  // A model without a threshold: what is likely comes from the videos.
  await cp(join(import.meta.dirname, '../../models/starter'), mine, { recursive: true })
  const { threshold: _, ...description } = JSON.parse(await readFile(join(mine, 'model.json'), 'utf8'))
  await writeFile(join(mine, 'model.json'), JSON.stringify({ ...description, id: 'mine-1', name: 'mine' }))
  await makeClip(join(home, 'a.mp4'), 'testsrc', 1)
  const store = join(home, 'store')
  const index = await open(store, { model: mine })
  await run(index, [join(home, 'a.mp4')], { detail: 'whole' })
  const { cutoff, bestScore, moments } = await index.search('a test picture')
  expect(cutoff).toBeGreaterThan(0)
  expect(moments[0]).toMatchObject({ score: bestScore, likely: bestScore! >= cutoff! })

  const search = (...words: string[]) =>
    vidgrep(['search', 'a test picture', '--strictness', '1', '--store', store, '--model', mine, ...words], {
      VIDGREP_HOME: home,
    })
  const weak = await search()
  expect(weak).toMatchObject({ code: 0, stdout: expect.stringContaining('a.mp4') })
  expect(weak.stderr).toBe('Nothing here looks like that; nearest:\n')
  const none = await search('--likely')
  expect(none).toMatchObject({ code: 0, stdout: '' })
  expect(none.stderr).toMatch(/^Nothing here looks like that; the best score was \d+\.\d\d\.$/m)
})
