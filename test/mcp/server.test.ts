import { copyFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openIndex } from '../../src/index.ts'
import { clip } from '../ingest/indexing.ts'
import { useFolder } from '../video/makeClip.ts'

const inFolder = useFolder()
const bunny = clip('bunny.mp4')
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const client = new Client({ name: 'test', version: '1' })
let transport: StdioClientTransport

beforeAll(async () => {
  const index = await openIndex({ store: inFolder('store'), model: 'starter' })
  const options = { detail: 'whole', everySeconds: 2 } as const
  for await (const event of index.ingest([bunny], options)) void event
  await copyFile(bunny, inFolder('second.mp4'))
  for await (const event of index.ingest([inFolder('second.mp4')], options)) void event
  await index.close()
  const { PATH = '', HOME = '', VIDGREP_FFMPEG = '', VIDGREP_FFPROBE = '' } = process.env
  transport = new StdioClientTransport({
    command: process.execPath,
    args: [main, 'mcp', '--store', inFolder('store'), '--clips', inFolder('c')],
    env: { PATH, HOME, VIDGREP_FFMPEG, VIDGREP_FFPROBE, VIDGREP_HOME: inFolder('home') },
    stderr: 'pipe',
  })
  await client.connect(transport)
}, 30_000)
afterAll(() => client.close())

const call = async (name: string, args: Record<string, unknown>): Promise<CallToolResult> =>
  (await client.callTool({ name, arguments: args })) as CallToolResult

type Found = {
  readonly moments: readonly { video: string; path: string; t: number; from: number; to: number; likely: boolean }[]
}

const search = async (query: string): Promise<Found> =>
  (await call('search', { query, n: 2 })).structuredContent as unknown as Found

describe('an assistant', () => {
  it('is told of five tools, and which of them only read', async () => {
    const { tools } = await client.listTools()
    const names = tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint])
    expect(names).toEqual([
      ['search', true],
      ['similar', true],
      ['videos', true],
      ['frame', true],
      ['clip', false],
    ])
    expect(client.getInstructions()).toContain('Times are seconds')
  })

  it('searches, looks at what was found, and at what is like it', async () => {
    // The client holds what comes against the schema that the tool stated.
    const { moments } = await search('a big grey rabbit in a meadow')
    expect(moments.length).toBeGreaterThan(0)
    expect(moments[0]).toMatchObject({ path: bunny, video: expect.stringMatching(/./) })
    const { video, t } = moments[0]!
    const { content } = await call('frame', { video, t, width: 320 })
    const [picture, words] = content
    if (picture?.type !== 'image' || words?.type !== 'text') throw new Error('Expected a picture and words')
    expect(picture.mimeType).toBe('image/jpeg')
    expect(await sharp(Buffer.from(picture.data, 'base64')).metadata()).toMatchObject({ format: 'jpeg', width: 320 })
    expect(words.text).toContain(bunny)
    const alike = (await call('similar', { video: 'bunny.mp4', t, n: 2 })).structuredContent as unknown as Found
    expect(alike.moments.length).toBeGreaterThan(0)
    const isAside = alike.moments.every(({ path, from, to }) => path === bunny && (t < from || to < t))
    expect(isAside).toBe(true)
  })

  it('is told where each phrase is seen, and which other files show the same', async () => {
    const query = '"a rabbit" > "a meadow"'
    const { structuredContent, content } = await call('search', { query, n: 1 })
    const [moment] = (structuredContent as { moments: object[] }).moments
    expect(moment).toMatchObject({
      parts: [
        { text: 'a rabbit', step: 0, t: expect.any(Number) },
        { text: 'a meadow', step: 1, t: expect.any(Number) },
      ],
      also: [{ path: inFolder('second.mp4'), t: expect.any(Number) }],
    })
    expect(content).toMatchObject([{ text: expect.stringMatching(/"a meadow" at \S+, also in .+second\.mp4/) }])
  })

  it('lists videos', async () => {
    const list = async (contains: string) => (await call('videos', { contains })).structuredContent
    expect(await list('BUNNY')).toMatchObject({ total: 1, videos: [{ path: bunny, status: 'complete' }] })
    expect(await list('elephant')).toEqual({ total: 0, videos: [] })
  })

  it('cuts clips, into one folder only', async () => {
    const made = await call('clip', { video: 'bunny.mp4', from: 1, to: 1.2, name: '../../out.mp4' })
    expect(made.structuredContent).toMatchObject({ file: inFolder('c/out.mp4'), to: 1.2 })
    expect((await stat(inFolder('c/out.mp4'))).size).toBeGreaterThan(1000)
    const again = await call('clip', { video: 'bunny.mp4', from: 1, to: 2, name: 'out.mp4' })
    expect(again).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('not overwritten') }] })
  })

  it.each([
    ['frame', { video: '/etc/passwd', t: 1 }, /No video of the collection lies at \/etc\/passwd\n.+/],
    ['similar', { video: '/etc/passwd', t: 1 }, /No video of the collection lies at \/etc\/passwd\n.+/],
    ['search', { query: '"a dog' }, /closing quote.+\n.+/],
    ['search', { query: ' ' }, /Expected .+\n.+/],
    ['clip', { video: 'bunny.mp4', from: 9000, to: 9001 }, /before the video ends.+\n.+/],
    ['search', { query: 'a dog', n: 0 }, /n/],
  ])('is told what went wrong and what to do: %s %j', async (name, args, message) => {
    expect(await call(name, args)).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(message) }] })
  })

  it('ends the server by leaving', async () => {
    const { pid } = transport
    await client.close()
    await expect.poll(() => isAlive(pid!), { timeout: 3000 }).toBe(false)
  })
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
