import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Agent, type Dispatcher, EnvHttpProxyAgent, fetch } from 'undici'
import { ModelError } from '../model.ts'

/** How to reach the hub. The token goes to it alone: a redirect to another host drops it. */
export type Connection = {
  readonly dispatcher: Dispatcher
  readonly headers: Readonly<Record<string, string>>
  close(): Promise<void>
}

/** A server that sends nothing for this long, in milliseconds, counts as gone. */
const silence = 60_000

/**
 * Through the proxy that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name.
 *
 * @param trusted whether the host may see the token in `HF_TOKEN`
 */
export const connect = (trusted: boolean, environment = process.env): Connection => {
  const options = { bodyTimeout: silence, headersTimeout: silence }
  const proxied = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].some((name) => environment[name])
  const dispatcher = proxied ? new EnvHttpProxyAgent(options) : new Agent(options)
  const token = trusted ? environment.HF_TOKEN : undefined
  return {
    dispatcher,
    // Sizes and ranges are those of the files only where nothing is compressed on the way.
    headers: { 'accept-encoding': 'identity', ...(token && { authorization: `Bearer ${token}` }) },
    close: () => dispatcher.close(),
  }
}

export type DownloadOptions = {
  readonly connection: Connection
  readonly signal: AbortSignal
  /** Told of bytes as they come: `received` of this file so far, those of an earlier run included. */
  readonly onBytes: (received: number) => void
  /** Told of the file's size once the server has said it. */
  readonly onSize: (bytes: number) => void
}

export type Downloaded = { readonly bytes: number; readonly sha256: string; readonly resumed: boolean }

/** Pauses in milliseconds before the second, third … try. A try that brings data starts the count anew. */
const pauses = [500, 2000, 8000]

/**
 * Fetches `url` into `file`, and goes on where an earlier run stopped if the server can do that.
 *
 * @throws ModelError if the server refuses, or cannot be reached in several tries; what has come stays for the next run
 */
export const download = async (url: string, file: string, options: DownloadOptions): Promise<Downloaded> => {
  await mkdir(dirname(file), { recursive: true })
  const resumed = (await sizeOf(file)) > 0
  for (let failures = 0; ; ) {
    const before = await sizeOf(file)
    try {
      return { ...(await downloadRest(url, file, before, options)), resumed }
    } catch (error) {
      options.signal.throwIfAborted()
      if (error instanceof ModelError || isDiskError(error)) throw error
      if ((await sizeOf(file)) > before) failures = 0
      const pause = pauses[failures++]
      if (pause === undefined) throw unreachable(url, error)
      await setTimeout(pause, undefined, { signal: options.signal })
    }
  }
}

const downloadRest = async (
  url: string,
  file: string,
  start: number,
  { connection, signal, onBytes, onSize }: DownloadOptions,
): Promise<{ bytes: number; sha256: string }> => {
  const headers = { ...connection.headers, ...(start > 0 && { range: `bytes=${start}-` }) }
  const response = await fetch(url, { headers, signal, dispatcher: connection.dispatcher })
  if (response.status === 416) {
    // Everything is there already, or more than there should be: what is there is checked like any other.
    await response.body?.cancel()
    const hash = await hashFile(file, signal)
    return { bytes: start, sha256: hash.digest('hex') }
  }
  if (!response.ok || !response.body) throw refused(url, response.status)
  const from = response.status === 206 ? start : 0
  const length = response.headers.get('content-encoding')
    ? Number.NaN
    : Number(response.headers.get('content-length') ?? 'none')
  if (Number.isFinite(length)) onSize(from + length)
  const hash = from > 0 ? await hashFile(file, signal) : createHash('sha256')
  const bytes = await write(response.body, file, from, hash, onBytes)
  if (Number.isFinite(length) && bytes !== from + length) throw new Error(`it ended after ${bytes} bytes`)
  return { bytes, sha256: hash.digest('hex') }
}

/** How long the hub may take to answer, in milliseconds, and how often it may send on. */
const patience = 10_000
const redirects = 5

/**
 * Asks the hub for its own SHA-256 of a file. It states that of files in large-file storage as `X-Linked-Etag` (a cache
 * as `ETag`), in front of the redirect to where they lie; of smaller files it states a hash of git's, which is no use.
 * https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/file_download.py
 *
 * @returns `undefined` if it does not say, or cannot be reached
 */
export const hubSha256 = async (
  url: string,
  { connection, signal }: { readonly connection: Connection; readonly signal?: AbortSignal },
): Promise<string | undefined> => {
  const { authorization, ...open } = connection.headers
  try {
    let at = new URL(url)
    for (let i = 0; i < redirects; i++) {
      // The token is for the hub alone.
      const headers = at.origin === new URL(url).origin ? connection.headers : open
      const limit = AbortSignal.any([AbortSignal.timeout(patience), ...(signal ? [signal] : [])])
      const how = { method: 'HEAD', redirect: 'manual', headers, signal: limit } as const
      const response = await fetch(at, { ...how, dispatcher: connection.dispatcher })
      const tag = response.headers.get('x-linked-etag') ?? response.headers.get('etag') ?? ''
      const stated = /^(?:W\/)?"?([0-9a-f]{64})"?$/.exec(tag)?.[1]
      const location = response.headers.get('location')
      if (stated || location === null) return response.status < 400 ? stated : undefined
      at = new URL(location, at)
    }
  } catch {
    signal?.throwIfAborted()
  }
  return undefined
}

/** What has come is kept also when the connection breaks: the next try goes on from there. */
const write = async (
  body: AsyncIterable<Uint8Array>,
  file: string,
  from: number,
  hash: Hash,
  onBytes: (received: number) => void,
): Promise<number> => {
  const out = await open(file, from > 0 ? 'a' : 'w')
  let bytes = from
  try {
    for await (const chunk of body) {
      await out.writeFile(chunk)
      hash.update(chunk)
      bytes += chunk.length
      onBytes(bytes)
    }
    await out.sync()
  } finally {
    await out.close()
  }
  return bytes
}

/** SHA-256 of a file as it is so far, open for more. */
export const hashFile = async (file: string, signal?: AbortSignal): Promise<Hash> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, ...(signal && { signal }) }))
    hash.update(chunk)
  return hash
}

export const discard = (file: string): Promise<void> => rm(file, { force: true })

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  )

const isDiskError = (error: unknown): boolean =>
  ['ENOSPC', 'EACCES', 'EROFS', 'EDQUOT', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '')

const refused = (url: string, status: number): Error => {
  // Too many requests and faults of the server may pass: those are tried again.
  if (status === 429 || status >= 500) return new Error(`the server answered ${status}`)
  const remedy =
    status === 401 || status === 403
      ? 'The repository wants a login: set HF_TOKEN to a token that may read it'
      : 'Try another mirror: --mirror URL, or see whether a newer vidgrep knows where the file is now'
  return new ModelError('pull-refused', `Expected ${url} to be there, got status ${status}`, { remedy })
}

const unreachable = (url: string, cause: unknown): ModelError => {
  const reason = ((cause as Error).cause as Error | undefined)?.message || (cause as Error).message
  return new ModelError('pull-failed', `Expected ${new URL(url).origin} to send a file, got: ${reason}`, {
    remedy: 'Check the connection and run the same command again: it goes on where it stopped',
    cause,
  })
}
