import { basename, dirname } from 'node:path'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { VidgrepError } from '../../errors.ts'
import { probe, type VideoRecord } from '../../index.ts'
import { type Collections, presentPath } from '../collections.ts'
import { entityTag, type Pictures } from '../pictures.ts'
import { failures, immutable, requestSignal } from '../reply.ts'
import { collectionQuerySchema, videoParamsSchema } from '../schemas/parts.ts'
import {
  frameParamsSchema,
  frameQuerySchema,
  scenesAnswerSchema,
  type VideoAnswer,
  videoDetailsSchema,
  videoSchema,
} from '../schemas/videos.ts'

export type VideoContext = { readonly collections: Collections; readonly pictures: Pictures }

/** The videos: what is known of them, their files, and pictures out of them. */
export const videoRoutes =
  ({ collections, pictures }: VideoContext): FastifyPluginAsyncZod =>
  async (app) => {
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
          description: 'One video, with what its file says of its frames',
          params: videoParamsSchema,
          querystring: collectionQuerySchema,
          response: { 200: videoDetailsSchema, ...failures },
        },
      },
      async ({ params, query }, reply) => {
        const record = await collections.video(params.id, query.collection)
        return { ...toAnswer(record), frameRate: await frameRateOf(record, requestSignal(reply)) }
      },
    )

    app.get(
      '/videos/:id/scenes',
      {
        schema: {
          description: 'Where what the video shows changes',
          params: videoParamsSchema,
          querystring: collectionQuerySchema,
          response: { 200: scenesAnswerSchema, ...failures },
        },
      },
      async ({ params, query }, reply) => {
        const { video } = await collections.video(params.id, query.collection)
        const index = await collections.open(query.collection)
        const found = await index.scenes(video, { signal: requestSignal(reply) })
        return {
          video,
          path: found.path,
          durationSeconds: found.durationSeconds ?? null,
          scenes: found.scenes.map(({ from, to, t }) => ({ from, to, t })),
        }
      },
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
        const record = await collections.video(params.id, query.collection)
        const wanted = { record, timestampSeconds: seconds, width: query.w, withinSeconds: query.within }
        const tag = entityTag(wanted)
        if (request.headers['if-none-match'] === tag) return reply.code(304).send()
        const jpeg = await pictures.frame(wanted, requestSignal(reply))
        return reply.type('image/jpeg').header('cache-control', immutable).header('etag', tag).send(jpeg)
      },
    )
  }

/** A file that is away says nothing, and its video is known all the same. */
const frameRateOf = async (record: VideoRecord, signal: AbortSignal): Promise<number | null> => {
  try {
    return (await probe(await presentPath(record), { signal })).frameRate || null
  } catch (error) {
    if (error instanceof VidgrepError) return null
    throw error
  }
}

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
  recordedAt: record.recordedAt ?? null,
  indexedAt: record.indexedAt,
})
