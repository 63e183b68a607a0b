import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll } from 'vitest'
import { openIndex } from '../../src/index.ts'
import { type ServeOptions, type Server, serve } from '../../src/server/server.ts'
import { clip } from '../ingest/indexing.ts'

/** Would run if a name became markup, and ends an address if it is not encoded. */
export const hostileName = '<img src=x onerror=alert(1)> 100% #1?.mp4'

export type Served = { readonly folder: string; readonly store: string; readonly server: Server }

const folders: string[] = []
const servers: Server[] = []

/** An index of a carried clip under a hostile name, and of others, in a home of its own; gone after the test file. */
export const makeFootage = async (
  others: readonly string[] = [],
): Promise<{ folder: string; store: string; video: string }> => {
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-serve-'))
  folders.push(folder)
  process.env.VIDGREP_HOME = folder
  const [store, video] = [join(folder, 'store'), join(folder, hostileName)]
  await copyFile(clip('photos.mp4'), video)
  const more = others.map((name) => join(folder, name))
  for (const path of more) await copyFile(clip(basename(path)), path)
  const index = await openIndex({ store, model: 'starter' })
  for await (const event of index.ingest([video, ...more], { detail: 'whole' })) {
    if (event.type === 'video' && event.result.status !== 'complete') throw new Error(event.result.reason)
  }
  await index.close()
  return { folder, store, video }
}

/** On a free port of this machine; its own faults are printed with their stacks. */
export const startServer = async (options: ServeOptions): Promise<Server> => {
  const server = await serve({ port: 0, onNotice: (line) => console.error(line), ...options })
  servers.push(server)
  return server
}

afterAll(async () => {
  for (const server of servers) await server.close()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }

export type Asking = { readonly method?: string; readonly body?: string | Uint8Array }

/** A request as it is: no client puts the path or the headers right. */
export const ask = (
  server: Server,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  { method = 'GET', body }: Asking = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const asking = request(
      { host: '127.0.0.1', port: server.port, path, headers, method, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
        )
      },
    )
    asking.on('error', reject)
    asking.end(body)
  })

export const askJson = async (server: Server, path: string, headers?: Readonly<Record<string, string>>) =>
  JSON.parse((await ask(server, path, headers)).body.toString())

/** Sends JSON, and reads the answer. */
export const sendJson = async (server: Server, path: string, body: unknown, method = 'POST') => {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers: Record<string, string> = text === undefined ? {} : { 'content-type': 'application/json' }
  const answer = await ask(server, path, headers, { method, body: text })
  return { status: answer.status, body: JSON.parse(answer.body.toString()) }
}
