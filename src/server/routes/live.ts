import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { VidgrepError } from '../../errors.ts'
import { type Collections, isStoreError } from '../collections.ts'
import { openEvents } from '../events.ts'
import type { Indexing } from '../indexing.ts'
import { failures } from '../reply.ts'
import {
  collectionsSchema,
  foldersQuerySchema,
  foldersSchema,
  type Health,
  healthSchema,
  indexingSchema,
  startIndexingSchema,
} from '../schemas/live.ts'
import { collectionQuerySchema } from '../schemas/parts.ts'

export type LiveContext = {
  readonly collections: Collections
  readonly indexing: Indexing
  readonly version: string
  /** The collection that is meant where none is named. */
  readonly current: string
}

/** What goes on: how the store is, and what is being indexed. */
export const liveRoutes =
  ({ collections, indexing, version, current }: LiveContext): FastifyPluginAsyncZod =>
  async (app) => {
    const events = openEvents({ health: (name) => healthOf(collections, version, name), indexing })
    app.addHook('preClose', async () => events.close())

    app.get(
      '/health',
      {
        schema: {
          description: 'Whether the store answers, and what is in it',
          querystring: collectionQuerySchema,
          response: { 200: healthSchema, ...failures },
        },
      },
      async ({ query }) => healthOf(collections, version, query.collection),
    )

    app.get(
      '/collections',
      {
        schema: {
          description: 'The collections of the store',
          response: { 200: collectionsSchema, ...failures },
        },
      },
      async () => ({ current, names: [...(await collections.names())] }),
    )

    app.get(
      '/events',
      {
        schema: {
          description: 'Server-sent events, as things change: `health` and `indexing`, each with its whole new state',
          querystring: collectionQuerySchema,
          produces: ['text/event-stream'],
        },
      },
      async ({ query }, reply) =>
        reply
          .type('text/event-stream')
          .header('cache-control', 'no-store')
          .header('x-accel-buffering', 'no')
          .send(events.stream(query.collection)),
    )

    app.get(
      '/indexing',
      {
        schema: { description: 'The run that goes on, or the last one', response: { 200: indexingSchema } },
      },
      async () => indexing.state(),
    )

    app.post(
      '/indexing',
      {
        schema: {
          description: 'Index folders that the server was allowed to (--allow)',
          body: startIndexingSchema,
          response: { 202: indexingSchema, ...failures },
        },
      },
      async ({ body }, reply) => reply.code(202).send(await indexing.start(body.paths, body.collection)),
    )

    app.delete(
      '/indexing',
      {
        schema: {
          description: 'Stop the run; what is done stays, and the next run goes on from there',
          response: { 200: indexingSchema },
        },
      },
      async () => indexing.stop(),
    )

    app.get(
      '/folders',
      {
        schema: {
          description: 'The folders that may be indexed, or those within one of them',
          querystring: foldersQuerySchema,
          response: { 200: foldersSchema, ...failures },
        },
      },
      async ({ query }) => indexing.folders(query.path),
    )
  }

/** Never fails: a store that is away is an answer. */
const healthOf = async (collections: Collections, version: string, name: string | undefined): Promise<Health> => {
  const startedMs = performance.now()
  const nothing = { version, collection: name ?? '', model: null, videos: 0, unfinished: 0, points: 0 }
  try {
    const index = await collections.open(name)
    const { model, store } = index
    if (!store) return { ...nothing, status: 'empty', model: model.id }
    const [videos, points] = await Promise.all([index.videos(), store.countPoints()])
    return {
      status: videos.length > 0 ? 'ok' : 'empty',
      version,
      collection: store.collection.name,
      model: model.id,
      videos: videos.length,
      unfinished: videos.filter(({ run }) => run !== undefined).length,
      points,
    }
  } catch (error) {
    if (!(error instanceof VidgrepError)) throw error
    if (isStoreError(error)) collections.reopen(name, startedMs)
    return { ...nothing, status: 'store-away' }
  }
}
