import { readFile, rename } from 'node:fs/promises'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Server } from '../../src/server/server.ts'
import { clip } from '../ingest/indexing.ts'
import { ask, askJson, hostileName, makeFootage, startServer } from './serving.ts'

let server: Server
let store: string
let path: string
let id: string

beforeAll(async () => {
  const footage = await makeFootage()
  ;({ store, video: path } = footage)
  server = await startServer({ store })
  id = (await askJson(server, '/api/v1/videos'))[0].video
})

describe('answers', () => {
  it('a search with the moments that show it', async () => {
    const found = await askJson(server, '/api/v1/search?q=a+cup+of+coffee&n=3')
    expect(found).toMatchObject({ query: 'a cup of coffee', collection: 'vidgrep', unknown: false })
    const [best] = found.moments
    expect(best).toMatchObject({ rank: 1, path, video: id, likely: true, box: [0, 0, 1, 1] })
    expect(best.t).toBeGreaterThanOrEqual(4)
    expect(best.t).toBeLessThan(8)
    expect(best.from).toBeLessThanOrEqual(best.t)
    expect(best.to).toBeGreaterThanOrEqual(best.t)
    expect(best.likelihood).toBeGreaterThan(0)
  })

  it('more of a search from where one left off, and says when there is no more', async () => {
    const part = (n: number, offset: number) => askJson(server, `/api/v1/search?q=a+dog&n=${n}&offset=${offset}`)
    const [first, second, all] = [await part(1, 0), await part(1, 1), await part(200, 0)]
    const ranks = ({ moments }: { moments: { rank: number; t: number }[] }) => moments.map(({ rank, t }) => [rank, t])
    expect([...ranks(first), ...ranks(second)]).toEqual(ranks(all).slice(0, 2))
    expect([first.isLast, all.isLast]).toEqual([false, true])
    expect(await part(5, all.moments.length)).toMatchObject({ moments: [], isLast: true })
  })

  it('only likely moments where asked for', async () => {
    const all = await askJson(server, '/api/v1/search?q=a+cat&n=20&strictness=0.9')
    const likely = await askJson(server, '/api/v1/search?q=a+cat&n=20&strictness=0.9&likely=true')
    expect(all.moments.some(({ likely }: { likely: boolean }) => !likely)).toBe(true)
    expect(likely.moments.every(({ likely }: { likely: boolean }) => likely)).toBe(true)
  })

  it('the videos, with names as they are', async () => {
    const [video] = await askJson(server, '/api/v1/videos')
    expect(video).toMatchObject({ name: hostileName, paths: [path], status: 'complete', width: 1280, height: 720 })
    expect(await askJson(server, `/api/v1/videos/${id}`)).toEqual({ ...video, frameRate: 25 })
  })

  it('a picture of the wanted width, kept by the browser for good', async () => {
    const frame = `/api/v1/frames/${id}/5.5.jpg?w=300`
    const { status, headers, body } = await ask(server, frame)
    expect(status).toBe(200)
    expect(headers).toMatchObject({ 'content-type': 'image/jpeg', 'cache-control': expect.stringMatching(/immutable/) })
    expect(await sharp(body).metadata()).toMatchObject({ format: 'jpeg', width: 320, height: 180 })
    expect(await ask(server, frame, { 'if-none-match': headers.etag! })).toMatchObject({ status: 304 })
    expect((await ask(server, frame)).body.equals(body)).toBe(true)
  })

  it('the file, and any range of it', async () => {
    const stream = `/api/v1/videos/${id}/stream`
    const whole = await readFile(clip('photos.mp4'))
    const all = await ask(server, stream)
    expect(all.headers).toMatchObject({ 'content-type': 'video/mp4', 'accept-ranges': 'bytes' })
    expect(all.body.equals(whole)).toBe(true)
    const part = await ask(server, stream, { range: 'bytes=1000-1999' })
    expect(part.status).toBe(206)
    expect(part.headers['content-range']).toBe(`bytes 1000-1999/${whole.length}`)
    expect(part.body.equals(whole.subarray(1000, 2000))).toBe(true)
  })

  it('what its OpenAPI file says', async () => {
    const { paths } = await askJson(server, '/api/v1/openapi.json')
    const described = (route: string) =>
      z.fromJSONSchema(paths[route].get.responses['200'].content['application/json'].schema)
    const answers = {
      '/api/v1/health': '/api/v1/health',
      '/api/v1/search': '/api/v1/search?q=a+cup+of+coffee',
      '/api/v1/videos': '/api/v1/videos',
      '/api/v1/videos/{id}': `/api/v1/videos/${id}`,
      '/api/v1/videos/{id}/scenes': `/api/v1/videos/${id}/scenes`,
      '/api/v1/moments/similar': `/api/v1/moments/similar?video=${id}&t=5&box=0,0,0.5,0.5`,
      '/api/v1/curve': `/api/v1/curve?q=%22a+cup%22+%2B+%22coffee%22&video=${id}`,
      '/api/v1/collections': '/api/v1/collections',
      '/api/v1/indexing': '/api/v1/indexing',
      '/api/v1/folders': '/api/v1/folders',
    }
    for (const [route, path] of Object.entries(answers)) {
      expect(described(route).safeParse(await askJson(server, path)), route).toMatchObject({ success: true })
    }
    expect(described('/api/v1/search').safeParse({ query: 'a' }).success).toBe(false)
  })

  it('that a file is gone, still with the pictures that indexing kept, and plays its copy once there is one', async () => {
    await rename(path, `${path}.away`)
    const gone = await ask(server, `/api/v1/videos/${id}/stream`)
    expect(gone.status).toBe(410)
    expect(JSON.parse(gone.body.toString()).error).toMatchObject({ code: 'file-gone', remedy: expect.any(String) })
    const [{ t }] = (await askJson(server, '/api/v1/search?q=a+cat&n=1')).moments
    const picture = (seconds: number, more = '') =>
      ask(server, `/api/v1/frames/${id}/${seconds.toFixed(3)}.jpg?w=320${more}`)
    const kept = await picture(t)
    expect(kept.headers['content-type']).toBe('image/jpeg')
    expect((await picture(t + 0.3)).status).toBe(410)
    expect((await picture(t + 0.3, '&within=0.5')).body.equals(kept.body)).toBe(true)
    await rename(`${path}.away`, path)
    expect((await ask(server, `/api/v1/videos/${id}/stream`, { range: 'bytes=0-9' })).status).toBe(206)
  })
})

describe('refuses', () => {
  it.each([
    ['an unknown fingerprint', '/api/v1/videos/0123456789abcdef/stream', 404],
    ['a picture of an unknown fingerprint', '/api/v1/frames/0123456789abcdef/1.jpg', 404],
    ['an unknown collection', '/api/v1/search?q=cat&collection=nothing', 404],
    ['a query without words', '/api/v1/search?q=+', 400],
    ['a query that is too long', `/api/v1/search?q=${'a'.repeat(1001)}`, 400],
    ['more moments than it gives', '/api/v1/search?q=cat&n=1001', 400],
    ['moments after the last that it gives', '/api/v1/search?q=cat&n=24&offset=980', 400],
    ['a time that is none', '/api/v1/frames/0123456789abcdef/soon.jpg', 400],
    ['what it does not have', '/api/v1/nothing', 404],
  ])('%s, and says so', async (_, path, status) => {
    const answer = await ask(server, path)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body.toString())).toEqual({
      error: { code: expect.any(String), message: expect.any(String), remedy: expect.any(String) },
    })
  })

  it.each([
    '/../../../../etc/passwd',
    '/..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/package.json',
    '/api/v1/videos/..%2f..%2fpackage.json/stream',
    '/api/v1/videos/%2Fetc%2Fpasswd/stream',
    '/api/v1/frames/..%2f..%2f/1.jpg',
    '//etc/passwd',
    '/..\\..\\package.json',
  ])('the path %s', async (path) => {
    const { status, body } = await ask(server, path)
    expect([400, 403, 404]).toContain(status)
    expect(body.toString()).not.toMatch(/root:|"dependencies"/)
  })

  it('names of others, by which a page elsewhere could reach it', async () => {
    const health = '/api/v1/health'
    expect((await ask(server, health, { host: 'evil.example' })).status).toBe(421)
    expect((await ask(server, health, { host: `evil.example:${server.port}` })).status).toBe(421)
    expect((await ask(server, health, { host: '10.0.0.7' })).status).toBe(421)
    expect((await ask(server, health, { host: 'localhost:1' })).status).toBe(200)
  })

  it('requests of pages of other sites', async () => {
    const from = (origin: string) => ask(server, '/api/v1/videos', { origin })
    expect((await from('https://evil.example')).status).toBe(403)
    expect((await from('null')).status).toBe(403)
    expect((await from(`http://127.0.0.1:${server.port}`)).status).toBe(200)
  })
})

it('lets a page load and run nothing but its own', async () => {
  for (const path of ['/', '/api/v1/health', '/nothing']) {
    const { headers } = await ask(server, path)
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self'")
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff' })
  }
})

it('needs a token on an address that others reach, and remembers it in a cookie', async () => {
  const open = await startServer({ store, host: '0.0.0.0' })
  const token = open.token!
  expect(token.length).toBeGreaterThanOrEqual(22)
  expect(open.url).toContain(token)
  const videos = '/api/v1/videos'
  expect((await ask(open, videos)).status).toBe(401)
  expect((await ask(open, `${videos}?token=wrong`)).status).toBe(401)
  expect((await ask(open, '/')).status).toBe(401)

  const visit = await ask(open, `${videos}?token=${token}`)
  expect(visit).toMatchObject({ status: 303, headers: { location: videos } })
  const [cookie] = visit.headers['set-cookie']!
  expect(cookie).toMatch(/HttpOnly/)
  expect(cookie).toMatch(/SameSite=Strict/)
  expect((await ask(open, videos, { cookie: cookie!.split(';')[0]! })).status).toBe(200)
  expect((await ask(open, videos, { cookie: 'vidgrep=wrong' })).status).toBe(401)
  expect((await ask(open, videos, { authorization: `Bearer ${token}` })).status).toBe(200)
})

it('takes the next port where one is taken', async () => {
  const next = await startServer({ store, port: server.port })
  expect(next.port).toBeGreaterThan(server.port)
  expect((await askJson(next, '/api/v1/health')).status).toBe('ok')
})

it('runs without a collection, and searches it once there is one', async () => {
  const early = await startServer({ store: `${store}-later` })
  expect(await askJson(early, '/api/v1/health')).toMatchObject({ status: 'empty', videos: 0 })
  expect((await ask(early, '/api/v1/search?q=cat')).status).toBe(404)
  await rename(store, `${store}-later`)
  try {
    expect(await askJson(early, '/api/v1/health')).toMatchObject({ status: 'ok', videos: 1 })
  } finally {
    await rename(`${store}-later`, store)
  }
})
