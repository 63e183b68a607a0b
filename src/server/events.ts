import { PassThrough, type Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import type { Indexing } from './indexing.ts'
import type { Health, ServerEvent } from './schemas/live.ts'

/** What goes on, as it happens, for as many pages as are open. */
export type Events = {
  /** A stream of server-sent events that ends when its client leaves or the server ends. */
  stream(collection: string | undefined): Readable
  close(): void
}

export type EventSources = {
  /** What the store holds now: another process may be indexing into it. */
  readonly health: (collection: string | undefined) => Promise<Health>
  readonly indexing: Indexing
}

/** The store is asked again after this, or after so many times what asking took, whichever is longer. */
const pollMs = 2000
const restFactor = 10

/** Progress is told at most so often. */
const progressMs = 250

/** Something is sent at least so often: proxies end connections that are silent. */
const pulseMs = 15_000

export const openEvents = ({ health, indexing }: EventSources): Events => {
  const ending = new AbortController()

  const stream = (collection: string | undefined): Readable => {
    const out = new PassThrough()
    const left = new AbortController()
    const stop = AbortSignal.any([left.signal, ending.signal])
    const send = (event: ServerEvent): void => {
      // A client that does not read is not waited for: the next state replaces what it missed.
      if (out.writableNeedDrain) return
      out.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    }
    out.on('close', () => left.abort())
    out.on('error', () => left.abort())
    ending.signal.addEventListener('abort', () => out.end(), { signal: left.signal })
    indexing.watch(
      throttled(progressMs, (state) => send({ type: 'indexing', ...state }), stop),
      stop,
    )
    const pulse = setInterval(() => out.writableNeedDrain || out.write(':\n\n'), pulseMs)
    stop.addEventListener('abort', () => clearInterval(pulse), { once: true })
    out.write('retry: 2000\n\n')
    send({ type: 'indexing', ...indexing.state() })
    void watchHealth(
      () => health(collection),
      (now) => send({ type: 'health', ...now }),
      stop,
    )
    return out
  }

  return { stream, close: () => ending.abort() }
}

const watchHealth = async (ask: () => Promise<Health>, onChange: (now: Health) => void, stop: AbortSignal) => {
  let told = ''
  while (!stop.aborted) {
    const startMs = performance.now()
    const now = await ask()
    if (JSON.stringify(now) !== told) onChange(now)
    told = JSON.stringify(now)
    const restMs = Math.max(pollMs, restFactor * (performance.now() - startMs))
    await setTimeout(restMs, undefined, { signal: stop }).catch(() => {})
  }
}

/** Calls at once and then at most every so often, the last value always. */
const throttled = <T>(ms: number, call: (value: T) => void, stop: AbortSignal): ((value: T) => void) => {
  let waiting: { readonly value: T } | undefined
  let timer: NodeJS.Timeout | undefined
  const next = () => {
    timer = undefined
    if (!waiting || stop.aborted) return
    call(waiting.value)
    waiting = undefined
    timer = globalThis.setTimeout(next, ms)
  }
  return (value) => {
    waiting = { value }
    if (!timer) next()
  }
}
