import { join } from 'node:path'
import { expect, it } from 'vitest'
import { clip, temporaryFolder } from '../ingest/indexing.ts'
import { ask, startServer } from './serving.ts'

it('a server keeps its collection up to date with folders, and leaves them alone when it ends', async () => {
  const home = await temporaryFolder()
  const notices: string[] = []
  const server = await startServer({
    store: join(home, 'store'),
    model: 'starter',
    watch: [clip('city.mpg')],
    onNotice: (line) => void notices.push(line),
  })
  const videos = async () => {
    const { status, body } = await ask(server, '/api/v1/videos')
    return status === 200 ? JSON.parse(body.toString()) : []
  }
  await expect
    .poll(videos, { timeout: 30_000, interval: 200 })
    .toMatchObject([{ paths: [clip('city.mpg')], status: 'complete' }])
  await server.close()
  expect(notices).toEqual([])
}, 40_000)
