import { setTimeout as sleep } from 'node:timers/promises'
import type { QdrantClient, Schemas } from '@qdrant/js-client-rest'
import { UsageError } from '../../errors.ts'
import type { CallOptions } from '../store.ts'
import { isConnectionFailure, storeErrorFrom, transientWaitSeconds } from './failures.ts'

export type { Schemas }
export type Api = ReturnType<QdrantClient['api']>

/** How long one request may take, in seconds; writing includes the time until the server has applied it. */
const readSeconds = 30
export const writeSeconds = 120

/** How long a call goes on trying while the server is away, in seconds: enough for a restart. */
const defaultPatienceSeconds = 30

/** The same before the server has answered for the first time: then the address is more likely wrong, say so soon. */
const firstPatienceSeconds = 1

/** The port of Qdrant's REST interface, also where a client's address names none, as in Qdrant's own clients. */
const defaultPort = 6333

export type Connect = {
  readonly apiKey?: string
  /** How long a call goes on trying while the server is away or overloaded, in seconds; 30 by default, at least 0. */
  readonly patienceSeconds?: number
}

export type AskOptions = CallOptions & { readonly timeoutSeconds?: number }

/** A connection to one server. Made without a request; nothing has to be closed. */
export type Qdrant = {
  /** Address with port, without anything secret. */
  readonly location: string
  /**
   * The `result` of one request. A request has to be safe to repeat: it is, after transient failures.
   * @throws StoreError
   */
  ask<T>(request: (api: Api, init: RequestInit) => Promise<Answer<T>>, options?: AskOptions): Promise<T>
  /** Version of the server, such as "1.18.3". */
  version(options?: CallOptions): Promise<string>
}

type Answer<T> = { readonly data: { readonly result?: T } }

/**
 * Loads Qdrant's client and sets it up for one server.
 * @param url http(s) address; port 6333 where it has none
 * @throws UsageError if the address is none
 */
export const connect = async (url: string, options: Connect = {}): Promise<Qdrant> => {
  const address = parseAddress(url)
  const { QdrantClient } = await import('@qdrant/js-client-rest')
  const client = new QdrantClient({
    url: address.origin,
    port: address.port,
    prefix: address.prefix,
    headers: headers(options.apiKey),
    // The deadline is ours: the client's own would take the place of the caller's signal.
    timeout: Number.POSITIVE_INFINITY,
    checkCompatibility: false,
  })
  return talk(client.api(), address.location, options.patienceSeconds ?? defaultPatienceSeconds)
}

const talk = (api: Api, location: string, patienceSeconds: number): Qdrant => {
  let reached = false
  const patience = (error: unknown) =>
    reached || !isConnectionFailure(error) ? patienceSeconds : Math.min(patienceSeconds, firstPatienceSeconds)
  const send = async <T>(request: (init: RequestInit) => Promise<T>, { signal, timeoutSeconds }: AskOptions) => {
    signal?.throwIfAborted()
    try {
      const answer = await retrying(() => withDeadline(timeoutSeconds ?? readSeconds, signal, request), {
        signal,
        patienceSeconds: patience,
        waitSeconds: transientWaitSeconds,
      })
      reached = true
      return answer
    } catch (error) {
      signal?.throwIfAborted()
      throw storeErrorFrom(error, location)
    }
  }
  return {
    location,
    ask: async (request, options = {}) => {
      const { data } = await send((init) => request(api, init), options)
      if (data?.result === undefined || data.result === null)
        throw storeErrorFrom(new SyntaxError('no result'), location)
      return data.result
    },
    version: async (options = {}) => (await send((init) => api.root({}, init), options)).data.version,
  }
}

/** The key travels as a header of our own: given as `apiKey` the client would print a warning by itself. */
const headers = (apiKey: string | undefined): Record<string, string> => ({
  // Compressed answers come in several small writes, and the second waits some 40 ms for the first one's delayed
  // acknowledgement (Nagle's algorithm): 44 ms instead of 1.6 ms for 60 hits, measured with Qdrant 1.18.3.
  'accept-encoding': 'identity',
  ...(apiKey ? { 'api-key': apiKey } : {}),
})

const parseAddress = (url: string) => {
  const match = /^(https?):\/\/(?:[^/?#@]*@)?(\[[^\]]+\]|[^/:?#]+)(?::(\d+))?(\/[^?#]*)?$/i.exec(url.trim())
  if (!match || !URL.canParse(url.trim())) {
    throw new UsageError(`Expected the address of a Qdrant server, got "${url}"`, {
      remedy: 'Write it like this: --store http://localhost:6333',
    })
  }
  const [, scheme, host, port, path = ''] = match
  const origin = `${scheme!.toLowerCase()}://${host}`
  const prefix = path.replace(/\/+$/, '')
  const number = port ? Number(port) : defaultPort
  return { origin, prefix, port: number, location: `${origin}:${number}${prefix}` }
}

/** Ends the request when the caller's signal or the time says so. `AbortSignal.any` would pile up on a long-lived signal. */
const withDeadline = async <T>(
  seconds: number,
  signal: AbortSignal | undefined,
  request: (init: RequestInit) => Promise<T>,
): Promise<T> => {
  const controller = new AbortController()
  const late = () => controller.abort(new DOMException(`No answer within ${seconds} s`, 'TimeoutError'))
  const cancel = () => controller.abort(signal?.reason)
  const timer = setTimeout(late, seconds * 1000)
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    return await request({ signal: controller.signal })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
  }
}

/** First pause and longest pause in seconds; each is up to twice the one before. */
const firstPauseSeconds = 0.1
const longestPauseSeconds = 4

type Retry = {
  readonly signal?: AbortSignal
  /** How long after the first attempt another one may still begin, in seconds; may depend on what went wrong. */
  patienceSeconds(error: unknown): number
  /** Shortest pause after this failure in seconds; `undefined` if trying again is of no use. */
  waitSeconds(error: unknown): number | undefined
}

/**
 * Tries again after transient failures, with pauses that double and are drawn at random (full jitter,
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that many clients of a server that
 * comes back do not all come at once.
 * @throws the last failure, or the signal's reason
 */
const retrying = async <T>(attempt: () => Promise<T>, retry: Retry): Promise<T> => {
  const start = performance.now()
  for (let pauseSeconds = firstPauseSeconds; ; pauseSeconds = Math.min(2 * pauseSeconds, longestPauseSeconds)) {
    try {
      return await attempt()
    } catch (error) {
      retry.signal?.throwIfAborted()
      const atLeastSeconds = retry.waitSeconds(error)
      if (atLeastSeconds === undefined) throw error
      const waitSeconds = atLeastSeconds + pauseSeconds * Math.random()
      const passedSeconds = (performance.now() - start) / 1000
      if (passedSeconds + waitSeconds > retry.patienceSeconds(error)) throw error
      await pause(waitSeconds, retry.signal)
    }
  }
}

const pause = async (seconds: number, signal: AbortSignal | undefined): Promise<void> => {
  try {
    await sleep(seconds * 1000, undefined, signal ? { signal } : {})
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
