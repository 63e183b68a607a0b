import { chmod, mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Hint, hintAtClip } from '../../src/cli/hint.ts'
import { makeClip, temporaryFolder } from '../ingest/indexing.ts'
import { vidgrep } from './program.ts'

let folder: string
let said: string[]
let hint: Hint
beforeEach(async () => {
  folder = join(await temporaryFolder(), 'data')
  said = []
  hint = { terminal: true, folder, write: (line) => said.push(line) }
})

describe('the hint at CLIP', () => {
  it('is one line with commands that exist', async () => {
    await hintAtClip(hint)
    expect(said).toEqual([
      'CLIP finds far more than the starter model: vidgrep models pull clip-vit-b-32 && vidgrep reindex --model clip-vit-b-32',
    ])
    expect((await vidgrep(['models', 'pull', 'clip-vit-b-32', '--dry-run'])).code).toBe(0)
  })

  it('comes once in a day, and again on the next', async () => {
    await hintAtClip(hint)
    await hintAtClip(hint)
    expect(said).toHaveLength(1)
    const yesterday = new Date(Date.now() - 25 * 3600 * 1000)
    await utimes(join(folder, 'clip-hint'), yesterday, yesterday)
    await hintAtClip(hint)
    expect(said).toHaveLength(2)
  })

  it('does not come where nobody reads it', async () => {
    await hintAtClip({ ...hint, terminal: false })
    expect(said).toEqual([])
    await expect(readdir(folder)).rejects.toThrow()
  })

  it('does not come, and nothing fails, where it cannot be remembered', async () => {
    await writeFile(folder, 'a file where the folder should be')
    await hintAtClip(hint)
    expect(said).toEqual([])
  })

  it.skipIf(process.getuid?.() === 0)('nor in a folder that may not be written', async () => {
    await mkdir(folder)
    await chmod(folder, 0o500)
    await hintAtClip(hint)
    expect(said).toEqual([])
    await chmod(folder, 0o700)
  })

  it('is not among what a program reads', async () => {
    const home = await temporaryFolder()
    await makeClip(join(home, 'a.mp4'), 'testsrc', 1)
    await vidgrep(['index', join(home, 'a.mp4'), '--detail', 'whole'], { VIDGREP_HOME: home })
    for (const words of [[], ['--json']]) {
      const { stderr } = await vidgrep(['search', 'a test picture', '--threshold', '-100', ...words], {
        VIDGREP_HOME: home,
      })
      expect(stderr).toBe('')
    }
  })
})
