import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Moment, SearchOptions, SearchResult } from '../../index.ts'
import type { Collections } from '../collections.ts'
import type { Pictures } from '../pictures.ts'
import { failures, immutable, requestSignal } from '../reply.ts'
import {
  type MomentAnswer,
  type SearchAnswer,
  type SearchOptionsQuery,
  searchAnswerSchema,
  searchQuerySchema,
  uploadParamsSchema,
  uploadSchema,
} from '../schemas.ts'

export type SearchContext = { readonly collections: Collections; readonly pictures: Pictures }

/** Every way to ask: words, pictures, a moment. */
export const searchRoutes =
  ({ collections, pictures }: SearchContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/search',
      {
        schema: {
          description: 'Find the moments that show what the words say',
          querystring: searchQuerySchema,
          response: { 200: searchAnswerSchema, ...failures },
        },
      },
      async ({ query }, reply) => {
        const index = await collections.open(query.collection)
        const options = { ...searchOptions(query), signal: requestSignal(reply) }
        return toSearchAnswer(query, await index.search(query.q, options))
      },
    )

    app.addContentTypeParser(/^image\//, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    app.post(
      '/pictures',
      {
        schema: {
          description: 'Hand in a picture to search by, as the body with its own content type; it is kept for a while',
          consumes: ['image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/gif', 'image/tiff'],
          response: { 200: uploadSchema, ...failures },
        },
      },
      async ({ body }) => ({ id: await pictures.keep(body instanceof Uint8Array ? body : new Uint8Array()) }),
    )

    app.get(
      '/pictures/:id',
      { schema: { description: 'A picture that was handed in, as JPEG', params: uploadParamsSchema } },
      async ({ params }, reply) =>
        reply
          .type('image/jpeg')
          .header('cache-control', immutable)
          .send(await pictures.kept(params.id.slice(0, -'.jpg'.length))),
    )
  }

const searchOptions = (query: SearchOptionsQuery): SearchOptions => ({
  n: query.n,
  likely: query.likely === 'true',
  strictness: query.strictness,
  threshold: query.threshold,
  paths: query.path === undefined ? undefined : [query.path].flat(),
  afterSeconds: query.after,
  beforeSeconds: query.before,
})

const toSearchAnswer = (query: { readonly q?: string } | undefined, found: SearchResult): SearchAnswer => ({
  query: query?.q ?? '',
  model: found.model,
  collection: found.collection,
  cutoff: found.cutoff ?? null,
  unknown: found.unknown,
  bestScore: found.bestScore ?? null,
  moments: found.moments.map(toMoment),
})

const toMoment = ({ likelihood, box, ...moment }: Moment): MomentAnswer => ({
  ...moment,
  likelihood: likelihood ?? null,
  box: [...box],
})
