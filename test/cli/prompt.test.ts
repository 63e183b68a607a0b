import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { makeClip, open, run, temporaryFolder } from '../ingest/indexing.ts'
import { start } from './program.ts'

it('search -i answers line after line, opens moments by their number and goes on after a mistake', async () => {
  const home = await temporaryFolder()
  const store = join(home, 'store')
  const clip = await makeClip(join(home, 'a clip.mp4'), 'testsrc', 2)
  await run(await open(store, { model: 'starter' }), [clip], { detail: 'whole' })
  const player = join(home, 'mpv')
  await writeFile(
    player,
    `#!/bin/sh\nfor word; do echo "$word"; done > '${home}/played.new'\nmv '${home}/played.new' '${home}/played'\n`,
  )
  await chmod(player, 0o755)

  const lines = ['a test picture', '1', ':n 1', '"a" +', '7', ':no', '"colour bars"']
  const environment = { VIDGREP_HOME: home, PATH: `${home}:${process.env.PATH}` }
  const { stdout, stderr, code } = await start(
    ['search', '-i', '--json', '--store', store, 'first'],
    ...([environment, undefined, undefined, `${lines.join('\n')}\n:quit\nnever`] as const),
  ).ended
  const answers = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(answers).toMatchObject([
    { query: 'first' },
    { query: 'a test picture', moments: expect.arrayContaining([expect.objectContaining({ rank: 1, path: clip })]) },
    {
      path: clip,
      t: answers[1].moments[0].t,
      started: true,
      command: [player, ...opening(clip, answers[1].moments[0].t)],
    },
    { n: 1 },
    { query: '"a" +', error: { code: 'usage', message: expect.stringContaining('phrase') } },
    { query: '7', error: { code: 'usage', message: expect.stringContaining('got 7') } },
    { query: ':no', error: { code: 'usage' } },
    { query: '"colour bars"', moments: [{ rank: 1 }] },
  ])
  expect({ code, stderr }).toEqual({ code: 3, stderr: '' })
  const played = await vi.waitFor(() => readFile(join(home, 'played'), 'utf8'), 10_000)
  expect(played.trim().split('\n')).toEqual(opening(clip, answers[1].moments[0].t))
})

const opening = (path: string, t: number) => [`--start=${Number(t.toFixed(3))}`, '--', path]

it('search -i without a collection is one error, and takes no pictures', async () => {
  const home = await temporaryFolder()
  const asked = (...words: string[]) =>
    start(['search', '-i', ...words], { VIDGREP_HOME: home }, undefined, undefined, 'a\nb\n').ended
  const [missing, withPicture] = await Promise.all([asked('--store', join(home, 'none')), asked('--image', 'a.jpg')])
  expect(missing).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('vidgrep index') })
  expect(withPicture).toMatchObject({ code: 2, stderr: expect.stringContaining('--image') })
})
