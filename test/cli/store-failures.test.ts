import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const clip = fileURLToPath(new URL('../clips/bunny.mp4', import.meta.url))

/** The model is being loaded by the time that the store fails: the command ends, and says why. */
test('an index into a store that cannot be made ends with the reason', async () => {
  const home = await mkdtemp(join(tmpdir(), 'vidgrep-store-failure-'))
  await writeFile(join(home, 'file'), '')
  const store = process.platform === 'linux' ? '/proc/vidgrep/store' : join(home, 'file', 'store')
  const words = [main, 'index', clip, '--store', store, '--detail', 'whole']
  const env = { ...process.env, VIDGREP_HOME: home }
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) =>
    execFile(process.execPath, words, { env }, (error, _, stderr) => resolve({ code: error?.code, stderr })),
  )
  expect(stderr).toMatch(/--store FOLDER/)
  expect(stderr).not.toContain('bug')
  expect(code).toBe(1)
  await rm(home, { recursive: true })
})
