import { copyFile, mkdir, rename, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openIndex } from '../../src/index.ts'
import { eventSchema, indexingSchema, type ServerEvent } from '../../src/server/schemas/live.ts'
import type { Server } from '../../src/server/server.ts'
import { clip } from '../ingest/indexing.ts'
import { ask, askJson, makeFootage, sendJson, startServer } from './serving.ts'

let server: Server
let folder: string
let store: string
let allowed: string

beforeAll(async () => {
  ;({ folder, store } = await makeFootage())
  allowed = join(folder, 'allowed')
  await mkdir(join(allowed, 'inner'), { recursive: true })
  await mkdir(join(folder, 'allowed-not'))
  await copyFile(clip('bunny.mp4'), join(allowed, 'inner', 'bunny.mp4'))
  await symlink(folder, join(allowed, 'out'))
  server = await startServer({ store, allow: [allowed] })
})

/** Events as a page gets them, until it has seen enough. */
const eventsUntil = async (isEnough: (event: ServerEvent) => boolean, act = async () => {}): Promise<ServerEvent[]> => {
  const leaving = new AbortController()
  const response = await fetch(`${server.url}api/v1/events`, { signal: leaving.signal })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const events: ServerEvent[] = []
  let rest = ''
  let hasActed = false
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split('\n\n')
    rest = parts.pop()!
    for (const part of parts) {
      const [, type, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? []
      if (!data) continue
      const event = eventSchema.parse(JSON.parse(data))
      expect(event.type).toBe(type)
      events.push(event)
    }
    if (events.some(isEnough)) break
    if (!hasActed && events.some(({ type }) => type === 'health')) {
      hasActed = true
      await act()
    }
  }
  leaving.abort()
  return events
}

describe('indexing from the page', () => {
  it('lists the folders that it may, and no others', async () => {
    expect(await askJson(server, '/api/v1/folders')).toEqual({
      path: null,
      folders: [{ path: allowed, name: allowed }],
    })
    const inside = await askJson(server, `/api/v1/folders?path=${encodeURIComponent(allowed)}`)
    expect(inside.folders).toEqual([{ path: join(allowed, 'inner'), name: 'inner' }])
    for (const path of [folder, join(allowed, '..'), join(allowed, 'out'), `${allowed}-not`, '/etc', '/nowhere']) {
      const query = `/api/v1/folders?path=${encodeURIComponent(path)}`
      expect((await ask(server, query)).status, path).toBe(403)
      expect(await sendJson(server, '/api/v1/indexing', { paths: [path] }), path).toMatchObject({
        status: 403,
        body: { error: { code: 'not-allowed' } },
      })
    }
  })

  it('is refused where no folder was allowed', async () => {
    const strict = await startServer({ store })
    expect((await askJson(strict, '/api/v1/folders')).folders).toEqual([])
    expect((await sendJson(strict, '/api/v1/indexing', { paths: [allowed] })).status).toBe(403)
  })

  it('tells how it goes, and what was indexed is found at once', async () => {
    const start = async () => {
      const started = await sendJson(server, '/api/v1/indexing', { paths: [join(allowed, 'inner')] })
      expect(started).toMatchObject({ status: 202, body: { isRunning: true } })
      expect((await sendJson(server, '/api/v1/indexing', { paths: [allowed] })).status).toBe(409)
    }
    const events = await eventsUntil((event) => event.type === 'indexing' && event.ended === 'done', start)
    expect(events.at(-1)).toMatchObject({ videos: 1, done: 1, failed: 0, isRunning: false })
    expect(events.some((event) => event.type === 'indexing' && event.current?.path.endsWith('bunny.mp4'))).toBe(true)
    const { moments } = await askJson(server, '/api/v1/search?q=a+cartoon+rabbit&n=20')
    expect(moments.map(({ path }: { path: string }) => path)).toContain(join(allowed, 'inner', 'bunny.mp4'))
  })

  it('stops when told to, and says so', async () => {
    await copyFile(clip('city.mpg'), join(allowed, 'city.mpg'))
    await sendJson(server, '/api/v1/indexing', { paths: [allowed] })
    const { body } = await sendJson(server, '/api/v1/indexing', undefined, 'DELETE')
    expect(indexingSchema.parse(body)).toMatchObject({ isRunning: false, ended: 'stopped' })
  })
})

it('tells of videos that another process puts into the store', async () => {
  const before = (await askJson(server, '/api/v1/health')).videos
  const other = await openIndex({ store })
  const put = async () => {
    await other.store!.changeRecord('0123456789abcdef0123456789abcdef', () => ({
      video: '0123456789abcdef0123456789abcdef',
      files: [{ path: join(folder, 'elsewhere.mp4'), bytes: 1, modifiedMs: 0 }],
      ...{ status: 'partial', run: 'a-run', frames: 0, points: 0, model: other.model.id, settings: 'x' },
      indexedAt: new Date().toISOString(),
    }))
  }
  const events = await eventsUntil((event) => event.type === 'health' && event.videos === before + 1, put)
  expect(events.at(-1)).toMatchObject({ status: 'ok', unfinished: 1 })
  await other.store!.deleteVideo('0123456789abcdef0123456789abcdef')
  await other.close()
})

it('says that the store is away, and answers again when it is back', async () => {
  await rename(store, `${store}-away`)
  const away = await eventsUntil((event) => event.type === 'health' && event.status !== 'ok')
  expect(away.at(-1)).toMatchObject({ type: 'health' })
  expect((await ask(server, '/api/v1/search?q=coffee')).status).toBeGreaterThanOrEqual(400)
  await rename(`${store}-away`, store)
  expect(await askJson(server, '/api/v1/health')).toMatchObject({ status: 'ok' })
  expect((await ask(server, '/api/v1/search?q=coffee')).status).toBe(200)
})

it('names the collections of the store', async () => {
  expect(await askJson(server, '/api/v1/collections')).toEqual({ current: 'vidgrep', names: ['vidgrep'] })
})
