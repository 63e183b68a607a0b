import { expect, it } from 'vitest'
import { temporaryFolder } from '../ingest/indexing.ts'
import { start } from './program.ts'

it.each(['', 'a secret'])(
  'serve prints its address, answers there, and ends with 0 on Ctrl-C; token "%s"',
  async (token) => {
    const environment = { VIDGREP_HOME: await temporaryFolder(), VIDGREP_TOKEN: token }
    const { child, ended } = start(['serve', '--port', '0'], environment)
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout!.once('data', (text) => resolve(String(text).trim()))
      void ended.then(({ stderr }) => reject(new Error(stderr)))
    })
    expect(url).toMatch(
      token === '' ? /^http:\/\/127\.0\.0\.1:\d+\/$/ : /^http:\/\/127\.0\.0\.1:\d+\/\?token=a%20secret$/,
    )
    const health = await fetch(new URL('api/v1/health', url), { headers: { authorization: `Bearer ${token}` } })
    expect(await health.json()).toMatchObject({ status: 'empty' })
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 0, stdout: `${url}\n`, stderr: 'Ctrl-C ends it.\n' })
  },
)
