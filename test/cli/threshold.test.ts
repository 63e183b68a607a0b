import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeClip, temporaryFolder } from '../ingest/indexing.ts'
import { vidgrep } from './program.ts'

it('search says that a model has no measured threshold, unless one is given', async () => {
  const home = await temporaryFolder()
  const mine = join(home, 'mine')
  await cp(join(import.meta.dirname, '../../models/starter'), mine, { recursive: true })
  const { threshold: _, ...description } = JSON.parse(await readFile(join(mine, 'model.json'), 'utf8'))
  await writeFile(join(mine, 'model.json'), JSON.stringify({ ...description, id: 'mine-1', name: 'mine' }))
  await makeClip(join(home, 'a.mp4'), 'testsrc', 1)
  const call = (...words: string[]) => vidgrep([...words, '--model', mine], { VIDGREP_HOME: home })
  await call('index', join(home, 'a.mp4'))
  const found = await call('search', 'a test picture')
  expect(found.stdout).not.toBe('')
  expect(found.stderr).toMatch(/^mine-1 has no measured threshold.*--threshold/)
  expect((await call('search', 'a test picture', '--threshold', '-100')).stderr).toBe('')
  const json = await call('search', 'a test picture', '--json')
  expect(json.stderr).toBe('')
  expect(JSON.parse(json.stdout).threshold).toBeNull()
})
