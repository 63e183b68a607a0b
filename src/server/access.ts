import { randomBytes, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Port that is tried first. */
export const defaultPort = 8642

/** Holds the token in a browser after the first visit. */
const cookieName = 'vidgrep'

/** How long a browser stays signed in, in seconds. */
const cookieSeconds = 30 * 24 * 3600

export type AccessOptions = {
  /** Address that the server listens on. */
  readonly host: string
  /** Further names that the server may be asked by, as in a proxy's `Host` header. */
  readonly names: readonly string[]
  /** What a request has to bring; `undefined` on this machine's own address, where none is needed. */
  readonly token: string | undefined
}

/** 128 bits: too many to guess. */
export const newToken = (): string => randomBytes(16).toString('base64url')

/** Whether only this machine can reach the address. */
export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host)

/**
 * Lets only those in who may: a page of another site cannot ask (Origin), not even under a name that it points at this
 * machine (Host, against DNS rebinding), and off this machine a token is needed.
 */
export const guard = (app: FastifyInstance, { host, names, token }: AccessOptions): void => {
  const known = new Set(['localhost', '127.0.0.1', '[::1]', isIP(host) === 6 ? `[${host}]` : host, ...names])
  // Bound to every address, the server cannot know by which one it is asked; the token protects it.
  const isKnown = (name: string): boolean => known.has(name) || (token !== undefined && isAddress(name))

  app.addHook('onRequest', async (request, reply) => {
    if (!isKnown(nameOf(request.headers.host))) {
      return refuse(reply, 421, 'unknown-host', `This server is not called ${request.headers.host ?? 'nothing'}`)
    }
    const { origin } = request.headers
    if (origin !== undefined && !isKnown(nameOf(origin.replace(/^https?:\/\//, '')))) {
      return refuse(reply, 403, 'other-site', `Pages of ${origin} may not ask this server`)
    }
    if (token !== undefined) return checkToken(request, reply, token)
  })
}

/** Answers a crowd with 503 instead of letting everyone wait. Streams of events last, and are not counted. */
export const limitAtOnce = (app: FastifyInstance, most: number): void => {
  let underWay = 0
  app.addHook('onRequest', async (request, reply) => {
    if (request.url.includes('/events')) return
    if (underWay >= most) return refuse(reply.header('retry-after', '1'), 503, 'too-busy', 'Too much is asked at once')
    underWay += 1
    reply.raw.once('close', () => {
      underWay -= 1
    })
  })
}

/** `Host` without the port: a server behind a forwarded port is asked by another one. */
const nameOf = (host = ''): string => host.replace(/:\d*$/, '').toLowerCase()

const isAddress = (name: string): boolean => isIP(name.replace(/^\[|\]$/g, '')) !== 0

const checkToken = (request: FastifyRequest, reply: FastifyReply, token: string) => {
  const { query, cookies, headers, url } = request
  const given = (query as { token?: unknown }).token
  if (typeof given === 'string' && isSame(given, token)) {
    const clean = new URL(url, 'http://localhost')
    clean.searchParams.delete('token')
    // The token is not left in the address bar, in the history or in a link that is shared.
    return reply
      .setCookie(cookieName, token, { path: '/', httpOnly: true, sameSite: 'strict', maxAge: cookieSeconds })
      .redirect(clean.pathname + clean.search, 303)
  }
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
  if (isSame(bearer ?? cookies[cookieName] ?? '', token)) return
  return refuse(reply, 401, 'token-missing', 'Expected the token that vidgrep serve printed, got none or another one')
}

/** Takes as long for a nearly right token as for a wrong one. */
const isSame = (given: string, token: string): boolean => {
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

const refuse = (reply: FastifyReply, status: number, code: string, message: string) =>
  reply.code(status).send({ error: { code, message, remedy: remedies[code]! } })

const remedies: Readonly<Record<string, string>> = {
  'unknown-host': 'Open the address that vidgrep serve printed, or start it with --name NAME',
  'other-site': 'Open the address that vidgrep serve printed',
  'too-busy': 'Try again in a moment',
  'token-missing': 'Open the link that vidgrep serve printed, or send "Authorization: Bearer TOKEN"',
}
