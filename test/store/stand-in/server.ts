import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Refusal } from './refusal.ts'
import { type Database, route } from './routes.ts'

/** What the tests want to see of a request. */
export type Seen = {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly bytes: number
  /** The body as text, of requests up to 64 KiB. */
  readonly text: string
}

/** What the next request meets: an answer in place of the real one, or a broken connection, before or after the work. */
export type Fault =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'drop before'
  | 'drop after'
  | 'drop in mid-answer'
  | 'never answer'

export type StandIn = {
  /** Such as "http://127.0.0.1:41234". */
  readonly url: string
  readonly seen: Seen[]
  readonly database: Database
  /** Asked for every request; `undefined` lets it through. */
  fault: (seen: Seen) => Fault | undefined
  close(): Promise<void>
}

/** The size of a request above which Qdrant refuses it. */
const mostBytes = 32 * 2 ** 20

/**
 * A server in this process that answers the requests which the store makes as Qdrant 1.18 does: the same statuses,
 * shapes and error texts. It keeps everything in memory and searches exactly.
 */
export const startStandIn = async ({ apiKey, port = 0 }: { apiKey?: string; port?: number } = {}): Promise<StandIn> => {
  const database: Database = new Map()
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    void handle(request, response).catch(() => response.destroy())
  })

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const text = body.length <= 65_536 ? body.toString() : ''
    const { pathname: path, searchParams } = new URL(request.url!, 'http://stand-in')
    const entry = { method: request.method!, path, headers: request.headers, bytes: body.length, text }
    seen.push(entry)
    const fault = standIn.fault(entry)
    if (fault === 'never answer') return
    if (fault === 'drop before') return void response.destroy()
    if (typeof fault === 'object') return void response.writeHead(fault.status, fault.headers).end(fault.body)
    const answer = answerTo(entry, body, searchParams)
    if (fault === 'drop after') return void response.destroy()
    response.writeHead(answer.status, { 'content-type': answer.type, 'content-length': Buffer.byteLength(answer.text) })
    if (fault === 'drop in mid-answer') {
      return void response.write(answer.text.slice(0, answer.text.length / 2), () => response.destroy())
    }
    response.end(answer.text)
  }

  const answerTo = (entry: Seen, body: Buffer, query: URLSearchParams) => {
    const key = entry.headers['api-key']
    if (apiKey !== undefined && entry.path !== '/' && key !== apiKey) {
      const text = key ? 'Invalid API key or JWT' : 'Must provide an API key or an Authorization bearer token'
      return { status: 401, type: 'text/plain', text }
    }
    try {
      if (body.length > mostBytes) {
        throw new Refusal(
          400,
          `JSON payload (${body.length} bytes) is larger than allowed (limit: ${mostBytes} bytes).`,
        )
      }
      return json(200, route(database, entry.method, entry.path, parse(body), query))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.message === '') return { status: error.status, type: 'text/plain', text: '' }
      return json(error.status, { status: { error: error.message }, time: 0 })
    }
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const standIn: StandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    database,
    fault: () => undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return standIn
}

const json = (status: number, answer: unknown) => ({ status, type: 'application/json', text: JSON.stringify(answer) })

const parse = (body: Buffer): unknown => {
  if (body.length === 0) return undefined
  try {
    return JSON.parse(body.toString())
  } catch {
    throw new Refusal(400, 'Format error in JSON body: key must be a string at line 1 column 2')
  }
}
