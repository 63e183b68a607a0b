import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Server } from './qdrant-place.ts'
import { type Line, script } from './stand-in/script.ts'
import { type StandIn, startStandIn } from './stand-in/server.ts'

const apiKey = 'the key'
const { QDRANT_URL: url, QDRANT_API_KEY } = process.env
const recorded = './stand-in/recorded.jsonl'

describe('the stand-in answers as a real server did', () => {
  let standIn: StandIn
  beforeAll(async () => {
    standIn = await startStandIn({ apiKey })
  })
  afterAll(() => standIn.close())

  test('every request of the script, mistakes included', async () => {
    await expect(await answers({ url: standIn.url, apiKey })).toMatchFileSnapshot(recorded)
  })

  test.skipIf(!url)('and the real server at QDRANT_URL answers as it did when it was recorded', async () => {
    await expect(await answers({ url: url!, apiKey: QDRANT_API_KEY })).toMatchFileSnapshot(recorded)
  })

  // Asked of a server with a key, whose words these are: Qdrant 1.18.3.
  test('without the key and with a wrong one', async () => {
    const texts = await Promise.all(
      [new Headers(), new Headers({ 'api-key': 'wrong' })].map(async (headers) => {
        const answer = await fetch(`${standIn.url}/collections`, { headers })
        return `${answer.status} ${await answer.text()}`
      }),
    )
    expect(texts).toEqual([
      '401 Must provide an API key or an Authorization bearer token',
      '401 Invalid API key or JWT',
    ])
  })
})

const answers = async (server: Server): Promise<string> => {
  const name = `script-${randomBytes(4).toString('hex')}`
  const lines: string[] = []
  for (const line of script) lines.push(await answerTo(server, name, line))
  return `${lines.join('\n')}\n`
}

const answerTo = async ({ url, apiKey }: Server, name: string, { method, path, body }: Line): Promise<string> => {
  const headers = { 'content-type': 'application/json', ...(apiKey ? { 'api-key': apiKey } : {}) }
  const request = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
  const answer = await fetch(new URL(path.replace('{name}', name), url), request)
  const text = (await answer.text()).replaceAll(name, '{name}')
  return JSON.stringify({ request: `${method} ${path}`, status: answer.status, answer: inOrder(steady(text)) })
}

/** The answer without what differs from call to call and from server to server. */
const steady = (text: string): unknown => {
  if (text === '') return ''
  const { time: _, ...answer } = JSON.parse(text)
  const { result } = answer
  if (typeof result !== 'object') return answer
  if ('operation_id' in result) return { ...answer, result: { ...result, operation_id: 'a number' } }
  if ('points_count' in result) {
    const { params, optimizer_config, quantization_config } = result.config
    const { indexing_threshold } = optimizer_config
    const settings = { vectors: params.vectors, indexing_threshold, quantization_config }
    return { ...answer, result: { points: result.points_count, ...settings } }
  }
  if (Array.isArray(result.points)) {
    const points = result.points.map(({ version: _, ...point }: Answered & { version?: number }) => point)
    return { ...answer, result: { ...result, points: points.sort(byScoreAndId) } }
  }
  return answer
}

type Answered = { readonly id: string; readonly score?: number }

/** A server puts equally good points in any order. */
const byScoreAndId = (a: Answered, b: Answered): number => (b.score ?? 0) - (a.score ?? 0) || (a.id < b.id ? -1 : 1)

/** Nodes of a cluster order a payload's keys each in their own way. */
const inOrder = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, inOrder(item)]))
}
