import { basename, dirname } from 'node:path'
import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { SearchOptions, SearchResult, VideoRecord } from '../index.ts'
import { type Collections, presentPath } from './collections.ts'
import {
  collectionQuerySchema,
  errorSchema,
  frameParamsSchema,
  frameQuerySchema,
  type Health,
  healthSchema,
  type SearchAnswer,
  type SearchQuery,
  searchAnswerSchema,
  searchQuerySchema,
  type VideoAnswer,
  videoParamsSchema,
  videoSchema,
} from './schemas.ts'
import { entityTag, type Thumbnails } from './thumbnails.ts'

export type RouteContext = {
  readonly collections: Collections
  readonly thumbnails: Thumbnails
  readonly version: string
}

/** Longest time that a request may take, in milliseconds. */
const limitMs = 30_000

/** A year: what an address stands for never changes, as it holds the content's fingerprint. */
const immutable = 'private, max-age=31536000, immutable'

const failures = { '4xx': errorSchema, '5xx': errorSchema }

/** Everything under /api/v1. */
export const routes =
  ({ collections, thumbnails, version }: RouteContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/health',
      { schema: { description: 'Whether the store answers', response: { 200: healthSchema } } },
      async () => health(collections, version),
    )

    app.get(
      '/search',
      {
        schema: {
          description: 'Find the moments that show what the words say',
          querystring: searchQuerySchema,
          response: { 200: searchAnswerSchema, ...failures },
        },
      },
      async (request, reply) => {
        const index = await collections.open(request.query.collection)
        const options = { ...searchOptions(request.query), signal: requestSignal(reply) }
        return toSearchAnswer(await index.search(request.query.q, options))
      },
    )

    app.get(
      '/videos',
      {
        schema: {
          description: 'All videos of the collection, by path',
          querystring: collectionQuerySchema,
          response: { 200: videoSchema.array(), ...failures },
        },
      },
      async ({ query }) => {
        const records = await (await collections.open(query.collection)).videos()
        return records.map(toAnswer).sort((a, b) => (a.paths[0]! < b.paths[0]! ? -1 : 1))
      },
    )

    app.get(
      '/videos/:id',
      {
        schema: {
          description: 'One video',
          params: videoParamsSchema,
          querystring: collectionQuerySchema,
          response: { 200: videoSchema, ...failures },
        },
      },
      async ({ params, query }) => toAnswer(await collections.video(params.id, query.collection)),
    )

    app.get(
      '/videos/:id/stream',
      {
        schema: {
          description: 'The file itself; answers range requests, so that players can seek',
          params: videoParamsSchema,
          querystring: collectionQuerySchema,
        },
      },
      async ({ params, query }, reply) => {
        const path = await presentPath(await collections.video(params.id, query.collection))
        reply.header('cache-control', 'private, max-age=0, must-revalidate')
        return reply.sendFile(basename(path), dirname(path), { dotfiles: 'allow', cacheControl: false })
      },
    )

    app.get(
      '/frames/:id/:t',
      {
        schema: {
          description: 'The picture that a video shows at a time, as JPEG',
          params: frameParamsSchema,
          querystring: frameQuerySchema,
        },
      },
      async (request, reply) => {
        const { params, query } = request
        const seconds = Number(params.t.slice(0, -'.jpg'.length))
        const tag = entityTag(params.id, seconds, query.w)
        const record = await collections.video(params.id, query.collection)
        if (request.headers['if-none-match'] === tag) return reply.code(304).send()
        const jpeg = await thumbnails.jpeg(params.id, await presentPath(record), seconds, query.w, requestSignal(reply))
        return reply.type('image/jpeg').header('cache-control', immutable).header('etag', tag).send(jpeg)
      },
    )
  }

/** Ends what a request started when its client leaves, or when it has taken too long. */
const requestSignal = (reply: FastifyReply): AbortSignal => {
  const left = new AbortController()
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) left.abort(new Error('the client left'))
  })
  return AbortSignal.any([left.signal, AbortSignal.timeout(limitMs)])
}

const searchOptions = ({ n, likely, strictness, threshold, path, after, before }: SearchQuery): SearchOptions => ({
  n,
  likely: likely === 'true',
  strictness,
  threshold,
  paths: path === undefined ? undefined : [path].flat(),
  afterSeconds: after,
  beforeSeconds: before,
})

const toSearchAnswer = ({ cutoff, bestScore, moments, ...found }: SearchResult): SearchAnswer => ({
  ...found,
  cutoff: cutoff ?? null,
  bestScore: bestScore ?? null,
  moments: moments.map(({ likelihood, box, ...moment }) => ({
    ...moment,
    likelihood: likelihood ?? null,
    box: [...box],
  })),
})

const pathOf = ({ files, video }: VideoRecord): string => files[0]?.path ?? video

const toAnswer = (record: VideoRecord): VideoAnswer => ({
  video: record.video,
  paths: record.files.map(({ path }) => path),
  name: basename(pathOf(record)),
  status: record.status,
  reason: record.reason ?? null,
  durationSeconds: record.durationSeconds ?? null,
  width: record.width ?? null,
  height: record.height ?? null,
  frames: record.frames,
  points: record.points,
  indexedAt: record.indexedAt,
})

const health = async (collections: Collections, version: string): Promise<Health> => {
  const away = { version, collection: '', model: null, videos: 0 }
  try {
    const index = await collections.open()
    if (!index.store) return { ...away, status: 'empty', model: index.model.id }
    const { name } = index.store.collection
    const { length } = await index.videos()
    return { ...away, status: length > 0 ? 'ok' : 'empty', collection: name, model: index.model.id, videos: length }
  } catch {
    return { ...away, status: 'store-away' }
  }
}
