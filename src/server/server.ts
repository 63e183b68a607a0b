import { fileURLToPath } from 'node:url'
import compress from '@fastify/compress'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import statics from '@fastify/static'
import swagger from '@fastify/swagger'
import fastify, { type FastifyError } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { UsageError, VidgrepError } from '../errors.ts'
import { type OpenIndexOptions, settingsFrom } from '../index.ts'
import { version } from '../version.ts'
import { defaultPort, guard, isLoopback, limitAtOnce, newToken } from './access.ts'
import { isStoreError, openCollections } from './collections.ts'
import { checkAllowed, openIndexing, watchFolders } from './indexing.ts'
import { openPictures } from './pictures.ts'
import { liveRoutes } from './routes/live.ts'
import { searchRoutes } from './routes/search.ts'
import { takeawayRoutes } from './routes/takeaway.ts'
import { videoRoutes } from './routes/videos.ts'

export type ServeOptions = OpenIndexOptions & {
  /** Address to listen on. Any but this machine's own needs a token. @default '127.0.0.1' */
  readonly host?: string
  /** The next free port is taken where this one is not free. @default 8642 */
  readonly port?: number
  /** Further names that the server may be asked by. */
  readonly names?: readonly string[]
  /** Default: none on this machine's own address, else one that is made and can be read from the answer. */
  readonly token?: string
  /** Folders that may be indexed from the page. @default none */
  readonly allow?: readonly string[]
  /** Folders that the collection is kept up to date with. @default none */
  readonly watch?: readonly string[]
}

export type Server = {
  /** Where to go, with the token where one is needed. */
  readonly url: string
  readonly port: number
  readonly token: string | undefined
  /** Lets requests under way end, then closes the collections. */
  close(): Promise<void>
}

/** Ports that are tried, one after the other. */
const portsTried = 20

/** How long requests under way may take when the server ends. */
const graceMs = 800

/** Requests of one client a minute: a page of thumbnails is some dozens, a person who types a few a second. */
const mostRequestsAMinute = 3000

/** Of a picture that is searched by. */
const mostUploadBytes = 20 * 2 ** 20

/** Requests that are being answered at once; more are asked to come again. */
const mostAtOnce = 400

/** The page that Vite has built, in both cases: run from the build and from the source. */
const pageFolder = fileURLToPath(new URL('../../dist/page/', import.meta.url))

/**
 * Serves a store's collections to browsers: the page and its API under /api/v1.
 * @throws UsageError if no port is free, or the address is not this machine's
 */
export const serve = async ({
  host = '127.0.0.1',
  port = defaultPort,
  names = [],
  allow = [],
  watch = [],
  ...options
}: ServeOptions = {}): Promise<Server> => {
  const { token = isLoopback(host) ? undefined : newToken(), ...open } = options
  await checkAllowed(allow)
  const collections = openCollections(open)
  const indexing = openIndexing(collections, allow)
  const pictures = openPictures()
  const app = fastify({
    bodyLimit: mostUploadBytes,
    requestTimeout: 60_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 300 },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { collection } = request.query as { collection?: string }
    // What is open may stand on what is not there any more.
    if (isStoreError(error)) collections.reopen(collection, performance.now() - reply.elapsedTime)
    const { status, ...shown } = failure(error)
    // Who left does not hear the answer, and what that broke off is no fault.
    const isHeard = !reply.raw.destroyed
    if (status === 500 && isHeard) open.onNotice?.(`${request.method} ${request.url}: ${error.stack}`)
    return reply.code(status).send({ error: shown })
  })
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: { code: 'not-found', message: `There is nothing at ${request.url}`, remedy: 'See /api' },
    }),
  )
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: contentSecurity },
    hsts: false,
  })
  await app.register(cookie)
  guard(app, { host, names, token })
  limitAtOnce(app, mostAtOnce)
  await app.register(rateLimit, { max: mostRequestsAMinute, timeWindow: '1 minute' })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'vidgrep', version, description: 'Find moments in videos with words' },
    },
    transform: jsonSchemaTransform,
  })
  await app.register(compress, { encodings: ['gzip'], threshold: 1024 })
  await app.register(statics, { root: pageFolder, wildcard: false })
  app.get('/api', { schema: { hide: true } }, async (_request, reply) => reply.sendFile('api.html'))
  await app.register(
    async (api) => {
      api.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
      await api.register(searchRoutes({ collections, pictures }))
      await api.register(videoRoutes({ collections, pictures }))
      await api.register(takeawayRoutes({ collections }))
      await api.register(liveRoutes({ collections, indexing, version, current: settingsFrom(open).collection }))
    },
    { prefix: '/api/v1' },
  )

  const taken = await listen(app, host, port)
  const stopWatching = watch.length > 0 ? watchFolders(collections, watch, open.onNotice) : undefined
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${shown}:${taken}/${token === undefined ? '' : `?token=${encodeURIComponent(token)}`}`,
    port: taken,
    token,
    close: async () => {
      // A player may go on loading for as long as its tab is open.
      const impatient = setTimeout(() => app.server.closeAllConnections(), graceMs)
      await Promise.all([indexing.stop(), stopWatching?.()])
      await app.close()
      clearTimeout(impatient)
      await collections.close()
    },
  }
}

/** Nothing from elsewhere, nothing inline: a file's name can become text only. */
const contentSecurity = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'blob:', 'data:'],
  'media-src': ["'self'", 'blob:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'manifest-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'self'"],
  'frame-ancestors': ["'none'"],
}

const listen = async (app: { listen(at: object): Promise<string> }, host: string, port: number): Promise<number> => {
  for (let tried = port; ; tried++) {
    try {
      const address = await app.listen({ host, port: tried })
      return Number(new URL(address).port)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EADDRINUSE' && tried < port + portsTried) continue
      const why = code === 'EADDRINUSE' ? `ports ${port} to ${tried} are taken` : (error as Error).message
      throw new UsageError(`Expected to listen on ${host}:${port}, got: ${why}`, {
        remedy: 'Take another one: vidgrep serve --port 9000',
      })
    }
  }
}

const failure = (error: Error & { statusCode?: number }) => {
  if (hasZodFastifySchemaValidationErrors(error)) {
    return { status: 400, code: 'usage', message: error.message, remedy: 'See /api' }
  }
  if (error instanceof VidgrepError) {
    return { status: statusOf(error), code: error.code, message: error.message, remedy: error.remedy }
  }
  if (error.name === 'TimeoutError') {
    return { status: 503, code: 'too-slow', message: 'It took too long', remedy: 'Try again when less is going on' }
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return { status: error.statusCode, code: 'request', message: error.message, remedy: 'See /api' }
  }
  return { status: 500, code: 'internal', message: error.message, remedy: 'This is a bug in vidgrep: please report it' }
}

const statuses: Readonly<Record<string, number>> = {
  usage: 400,
  'video-unknown': 404,
  'collection-missing': 404,
  'model-mismatch': 409,
  busy: 409,
  'not-allowed': 403,
  'not-a-picture': 415,
  'picture-gone': 410,
  'file-gone': 410,
  'unreadable-file': 410,
  'not-a-video': 422,
  'damaged-video': 422,
}

const statusOf = ({ code }: VidgrepError): number => statuses[code] ?? 503
