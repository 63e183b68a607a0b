import { expect, it } from 'vitest'
import { temporaryFolder } from '../ingest/indexing.ts'
import { start } from './program.ts'

it('serve prints its address, answers there, and ends with 0 on Ctrl-C', async () => {
  const { child, ended } = start(['serve', '--port', '0'], { VIDGREP_HOME: await temporaryFolder() })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.once('data', (text) => resolve(String(text).trim()))
    void ended.then(({ stderr }) => reject(new Error(stderr)))
  })
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
  const health = await fetch(`${url}api/v1/health`)
  expect(await health.json()).toMatchObject({ status: 'empty' })
  child.kill('SIGINT')
  expect(await ended).toMatchObject({ code: 0, stdout: `${url}\n`, stderr: 'Ctrl-C ends it.\n' })
})
