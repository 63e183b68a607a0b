import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { clip, makeClip, temporaryFolder, tiny } from '../ingest/indexing.ts'
import { start, vidgrep } from './program.ts'

let folder: string
let clips: string
let mine: string

beforeEach(async () => {
  folder = await temporaryFolder()
  ;[clips, mine] = [join(folder, 'clips'), join(folder, 'mine')]
  await cp(tiny, mine, { recursive: true })
  const description = JSON.parse(await readFile(join(mine, 'model.json'), 'utf8'))
  await writeFile(join(mine, 'model.json'), JSON.stringify({ ...description, id: 'mine-1', name: 'mine' }))
  await mkdir(clips)
})

/** Models are named by their folders; what has none named takes the tiny one. */
const environment = () => ({ VIDGREP_HOME: folder, VIDGREP_MODEL: tiny })
const call = (...words: string[]) => vidgrep(words, environment())

describe('reindex', () => {
  it('moves a collection to another model, which index alone refuses with the ways out', async () => {
    await makeClip(join(clips, 'a.mp4'), 'testsrc', 2)
    await call('index', clips)
    const refused = await call('index', clips, '--model', mine)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/holds embeddings of tiny-1 .* not of mine-1/)
    expect(refused.stderr).toMatch(/vidgrep reindex --model NAME --collection vidgrep\).*\(--collection NAME\)/)

    const moved = await call('reindex', '--model', mine)
    expect(moved.stderr).toMatch(/^\[1\/1\] .*a\.mp4/)
    expect(moved.stdout).toMatch(/"vidgrep" now has mine-1 in place of tiny-1:\n1 video, 2 frames/)
    expect(moved.code).toBe(0)

    const again = await call('reindex', '--model', mine, '--json')
    expect(JSON.parse(again.stdout)).toEqual({
      collection: 'vidgrep',
      before: 'mine-1',
      model: 'mine-1',
      switched: true,
      vanished: [],
      worse: [],
      totals: null,
      videos: [],
    })
    expect((await call('search', 'a test picture', '--model', mine, '--threshold', '-100')).code).toBe(0)
  })

  it('keeps the old model, names the videos and exits with 3 when some cannot be indexed any more', async () => {
    await makeClip(join(clips, 'a.mp4'), 'testsrc', 2)
    await call('index', clips)
    await writeFile(join(clips, 'a.mp4'), 'no video')
    const { code, stderr } = await call('reindex', '--model', mine)
    expect(code).toBe(3)
    expect(stderr).toMatch(/"vidgrep" stays with tiny-1: 1 of its videos .*\n +.*a\.mp4\n.*--force/)
  })

  it('ends at Ctrl-C with 130 and goes on from there', async () => {
    await makeClip(join(clips, 'a.mp4'), 'testsrc', 2)
    await makeClip(join(clips, 'b.mp4'), 'testsrc2', 60)
    await call('index', clips, '--every', '0', '--detail', 'low')
    const { child, ended } = start(['reindex', '--model', mine], environment())
    child.stderr!.on('data', (text) => /\[1\/2\]/.test(text) && child.kill('SIGINT'))
    expect((await ended).code).toBe(130)
    expect(JSON.parse((await call('search', 'a cat', '--json')).stdout).model).toBe('tiny-1')
    const { switched, totals } = JSON.parse((await call('reindex', '--model', mine, '--json')).stdout)
    expect(switched).toBe(true)
    expect(totals.encoded).toBeLessThan(totals.points)
  })

  it.each([
    ['no model', ['reindex'], 2, /model/],
    [
      'a model that is not on disk',
      ['reindex', '--model', 'clip-vit-b-32', '--store', clip('')],
      1,
      /models pull clip-vit-b-32/,
    ],
    ['a collection that is not there', ['reindex', '--model', 'starter'], 1, /no collection "vidgrep"/],
  ])('refuses %s', async (_, words, expected, message) => {
    const { code, stderr } = await call(...words)
    expect(stderr).toMatch(message)
    expect(code).toBe(expected)
  })
})
