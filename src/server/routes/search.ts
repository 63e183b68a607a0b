import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Box, ExamplePicture, Moment, Query, SearchOptions } from '../../index.ts'
import { type AnswerPart, openAnswers } from '../answers.ts'
import type { Collections } from '../collections.ts'
import type { Pictures } from '../pictures.ts'
import { failures, immutable, requestSignal } from '../reply.ts'
import {
  type CurveAnswer,
  curveAnswerSchema,
  curveQuerySchema,
  type MomentAnswer,
  picturePattern,
  type SearchAnswer,
  type SearchOptionsQuery,
  type SearchQuery,
  searchAnswerSchema,
  searchQuerySchema,
  similarQuerySchema,
  uploadParamsSchema,
  uploadSchema,
} from '../schemas/search.ts'

export type SearchContext = { readonly collections: Collections; readonly pictures: Pictures }

/** Every way to ask: words, pictures, a moment; and how an answer runs along a video. */
export const searchRoutes =
  ({ collections, pictures }: SearchContext): FastifyPluginAsyncZod =>
  async (app) => {
    const answers = openAnswers()

    app.get(
      '/search',
      {
        schema: {
          description: 'Find the moments that show what the words say, or what looks like the pictures',
          querystring: searchQuerySchema,
          response: { 200: searchAnswerSchema, ...failures },
        },
      },
      async ({ query: { n, offset, ...query } }, reply) => {
        const index = await collections.open(query.collection)
        const signal = requestSignal(reply)
        const found = await answers.part(JSON.stringify(query), { n, offset }, async (n) =>
          index.search(await asked(query, pictures), { ...searchOptions({ ...query, n }), signal }),
        )
        return toSearchAnswer(query, found)
      },
    )

    app.get(
      '/moments/similar',
      {
        schema: {
          description: 'Find moments that look like one that is known, or like a part of its picture',
          querystring: similarQuerySchema,
          response: { 200: searchAnswerSchema, ...failures },
        },
      },
      async ({ query: { n, offset, ...query } }, reply) => {
        const { video, t, box } = query
        const index = await collections.open(query.collection)
        const place = { video, t, box: box === undefined ? undefined : boxFrom(box) }
        const signal = requestSignal(reply)
        const found = await answers.part(JSON.stringify(query), { n, offset }, (n) =>
          index.similar(place, { ...searchOptions({ ...query, n }), signal }),
        )
        return toSearchAnswer(undefined, found)
      },
    )

    app.get(
      '/curve',
      {
        schema: {
          description: 'How well each sampled frame of a video fits',
          querystring: curveQuerySchema,
          response: { 200: curveAnswerSchema, ...failures },
        },
      },
      async ({ query }, reply): Promise<CurveAnswer> => {
        const index = await collections.open(query.collection)
        const options = { ...searchOptions(query), signal: requestSignal(reply) }
        const found = await index.curve(await asked(query, pictures), query.video, options)
        return {
          video: found.video,
          path: found.path,
          durationSeconds: found.durationSeconds ?? null,
          cutoff: found.cutoff ?? null,
          background: found.background ?? null,
          points: found.points.map(({ t, until, score }) => ({ t, until, score })),
          moments: found.moments.map(toMoment),
        }
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

/** What the words and pictures of a request ask for. */
const asked = async (
  { q, like, unlike }: Pick<SearchQuery, 'q' | 'like' | 'unlike'>,
  pictures: Pictures,
): Promise<Query> => {
  if (like === undefined && unlike === undefined) return q ?? ''
  const all = (given: string | string[] | undefined) =>
    Promise.all([given ?? []].flat().map((each) => pictureFrom(each, pictures)))
  return { text: q || undefined, like: await all(like), unlike: await all(unlike) }
}

const pictureFrom = async (text: string, pictures: Pictures): Promise<ExamplePicture> => {
  const [, id, video, t, box] = picturePattern.exec(text)!
  if (id !== undefined) return { image: await pictures.kept(id) }
  return { video: video!, t: Number(t), box: box === undefined ? undefined : boxFrom(box) }
}

const boxFrom = (text: string): Box => text.split(',').map(Number) as unknown as Box

const searchOptions = (query: SearchOptionsQuery): SearchOptions => ({
  n: query.n,
  likely: query.likely === 'true',
  strictness: query.strictness,
  threshold: query.threshold,
  paths: query.path === undefined ? undefined : [query.path].flat(),
  afterSeconds: query.after,
  beforeSeconds: query.before,
  withinSeconds: query.within,
  longerSeconds: query.longer,
  shorterSeconds: query.shorter,
  recordedAfter: query.since === undefined ? undefined : new Date(query.since),
  recordedBefore: query.until === undefined ? undefined : new Date(query.until),
})

const toSearchAnswer = (query: { readonly q?: string } | undefined, found: AnswerPart): SearchAnswer => ({
  query: query?.q ?? '',
  model: found.model,
  collection: found.collection,
  cutoff: found.cutoff ?? null,
  unknown: found.unknown,
  language: found.language ?? null,
  bestScore: found.bestScore ?? null,
  moments: found.moments.map(toMoment),
  isLast: found.isLast,
})

const toMoment = ({ likelihood, box, parts, ...moment }: Moment): MomentAnswer => ({
  ...moment,
  parts: parts?.map(({ box, ...part }) => ({ ...part, box: [...box] })),
  likelihood: likelihood ?? null,
  box: [...box],
})
