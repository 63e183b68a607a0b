import type { FastifyReply } from 'fastify'
import { errorSchema } from './schemas/parts.ts'

/** Longest time that a request may take, in milliseconds. */
const limitMs = 30_000

/** What a route answers when it does not answer. */
export const failures = { '4xx': errorSchema, '5xx': errorSchema }

/** A year: what an address stands for never changes, as it holds the content's fingerprint. */
export const immutable = 'private, max-age=31536000, immutable'

/** Ends what a request started when its client leaves. */
export const leavingSignal = (reply: FastifyReply): AbortSignal => {
  const left = new AbortController()
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) left.abort(new Error('the client left'))
  })
  return left.signal
}

/** The same, and when it has taken too long. */
export const requestSignal = (reply: FastifyReply): AbortSignal =>
  AbortSignal.any([leavingSignal(reply), AbortSignal.timeout(limitMs)])
