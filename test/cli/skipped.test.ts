import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyClip } from '../ingest/indexing.ts'
import { start, vidgrep } from './program.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vidgrep-skipped-'))
  await chmod(folder, 0o777)
  await mkdir(join(folder, 'films/closed'), { recursive: true })
  await chmod(join(folder, 'films/closed'), 0)
})
afterEach(async () => {
  await chmod(join(folder, 'films/closed'), 0o700)
  await rm(folder, { recursive: true })
})

/** Not as the superuser, who reads everything. */
const asUser = (words: readonly string[]) => {
  const home = join(folder, 'home')
  return start(words, { VIDGREP_HOME: home, HOME: home }, process.getuid?.() === 0 ? 65_534 : undefined).ended
}

describe.skipIf(process.platform === 'win32')('a folder that cannot be read', () => {
  it('is named and makes the exit code 3, also with --quiet', async () => {
    const closed = `${join(folder, 'films/closed')}: the folder cannot be read (EACCES)\n`
    const quiet = await asUser(['index', join(folder, 'films'), '--quiet'])
    expect(quiet).toMatchObject({ code: 3, stdout: '', stderr: closed })
    const plain = await asUser(['index', join(folder, 'films')])
    expect(plain).toMatchObject({ code: 3, stdout: expect.stringContaining(', 1 unreadable;') })
    expect(plain.stderr).toContain(closed)
  })

  it('comes with its reason in the JSON', async () => {
    const { code, stdout } = await asUser(['index', join(folder, 'films'), '--json'])
    expect(code).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({
      unreadable: [{ path: join(folder, 'films/closed'), reason: 'the folder cannot be read (EACCES)' }],
      totals: { videos: 0, unreadable: 1, excluded: 0 },
    })
  })
})

it('what is excluded is counted, and named as skipped', async () => {
  const films = join(folder, 'nas')
  await mkdir(join(films, '@eaDir'), { recursive: true })
  await copyClip('bunny.mp4', films)
  await copyClip('bunny.mp4', join(films, '@eaDir'))
  await writeFile(join(films, '.vidgrepignore'), '*.proxy.mp4\n')
  await writeFile(join(films, 'a.proxy.mp4'), '')
  await writeFile(join(films, 'b.mkv'), '')
  const words = ['index', films, '--exclude', '*.mkv', '--detail', 'whole', '--every', '5']
  const environment = { VIDGREP_HOME: join(folder, 'home') }
  const { code, stdout, stderr } = await vidgrep(words, environment)
  expect(code).toBe(0)
  expect(stdout).toMatch(/^1 video: 1 complete, 1 skipped, 3 excluded; /)
  expect(stderr).toContain(`@eaDir (a system's own folder), `)
  expect(stderr).toContain(`b.mkv (--exclude has "*.mkv")`)
  const again = await vidgrep([...words, '--json'], environment)
  expect(JSON.parse(again.stdout)).toMatchObject({ unreadable: [], totals: { videos: 1, skipped: 1, excluded: 3 } })
})
