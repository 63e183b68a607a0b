import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, extname, join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import PQueue from 'p-queue'
import { ZipFile } from 'yazl'
import { UsageError, VidgrepError } from '../../errors.ts'
import { exportMoments, formatTimestamp, preview, writeClip } from '../../index.ts'
import { type Collections, presentPath } from '../collections.ts'
import { leavingSignal, requestSignal } from '../reply.ts'
import { videoParamsSchema } from '../schemas/parts.ts'
import { clipsSchema, exportsSchema, type StretchBody, stretchQuerySchema } from '../schemas/videos.ts'

/** Videos that are encoded at once, and requests that may wait for their turn. */
const encodersAtOnce = 2
const mostWaiting = 16

/** Longest preview and clip, in seconds. */
const mostPreviewSeconds = 120
const mostClipSeconds = 600

/** What leaves the page: stretches made playable, clips, and lists for editing programs. */
export const takeawayRoutes =
  ({ collections }: { readonly collections: Collections }): FastifyPluginAsyncZod =>
  async (app) => {
    const queue = new PQueue({ concurrency: encodersAtOnce })

    /** Waits for a turn, and keeps it until what is made has ended. */
    const inTurn = async (make: () => Promise<Readable>): Promise<Readable> => {
      if (queue.size >= mostWaiting) {
        throw new VidgrepError('too-busy', 'Too many videos are being made over', { remedy: 'Try again in a moment' })
      }
      return new Promise((resolve, reject) => {
        void queue.add(async () => {
          try {
            const stream = await make()
            resolve(stream)
            // How it ended is told to who reads it.
            await finished(stream).catch(() => {})
          } catch (error) {
            reject(error)
          }
        })
      })
    }

    const serveStretch = (
      name: string,
      description: string,
      mostSeconds: number,
      make: (path: string, stretch: ReturnType<typeof stretchOf>, signal: AbortSignal) => Promise<Readable>,
    ) =>
      app.get(
        `/videos/:id/${name}`,
        { schema: { description, params: videoParamsSchema, querystring: stretchQuerySchema } },
        async ({ params, query }, reply) => {
          const path = await presentPath(await collections.video(params.id, query.collection))
          const stretch = stretchOf(query, mostSeconds)
          const signal = leavingSignal(reply)
          const stream = await inTurn(() => make(path, stretch, signal))
          return reply.type('video/mp4').header('cache-control', 'no-store').send(stream)
        },
      )
    serveStretch(
      'preview.mp4',
      'A stretch as every browser plays it: H.264, made while it is read',
      mostPreviewSeconds,
      (path, stretch, signal) => preview(path, { ...stretch, signal }),
    )
    serveStretch(
      'clip.mp4',
      'A stretch as a file: copied where that is exact, else encoded',
      mostClipSeconds,
      clipStream,
    )

    app.post(
      '/clips',
      {
        schema: {
          description: 'Stretches as clips, one after the other in a ZIP file',
          body: clipsSchema,
          produces: ['application/zip'],
        },
      },
      async ({ body }, reply) => {
        const signal = leavingSignal(reply)
        const found = await placed(collections, body)
        const zip = new ZipFile()
        const names = new Set<string>()
        for (const moment of found) {
          const { path, from, to } = moment
          const name = freeName(`${basename(path, extname(path))} ${fileTime(from)}.mp4`, names)
          const make = () => inTurn(() => clipStream(path, stretchOf({ from, to }, mostClipSeconds), signal))
          // Films do not become smaller.
          zip.addReadStreamLazy(name, { compress: false }, (done) => {
            make().then(
              (stream) => done(null, stream),
              (error) => done(error, undefined as never),
            )
          })
        }
        zip.end()
        const out = new PassThrough()
        zip.on('error', (error) => out.destroy(error))
        zip.outputStream.pipe(out)
        return reply.type('application/zip').header('content-disposition', 'attachment; filename="clips.zip"').send(out)
      },
    )

    app.post(
      '/exports',
      {
        schema: {
          description: 'Stretches as a list: for editing programs, spreadsheets or programs',
          body: exportsSchema,
          produces: ['text/plain'],
        },
      },
      async ({ body }, reply) => {
        const found = await placed(collections, body)
        const { format } = body
        reply.header('content-disposition', `attachment; filename="moments.${format}"`)
        if (format === 'json') return reply.type('application/json').send(`${JSON.stringify(found, null, 2)}\n`)
        return reply.type(types[format]).send(await exported(format, found, requestSignal(reply)))
      },
    )
  }

const types = { edl: 'text/plain', otio: 'application/json', fcpxml: 'application/xml', csv: 'text/csv' } as const

/** @throws UsageError if it ends before it begins, or is too long for a request */
const stretchOf = ({ from, to }: { readonly from: number; readonly to: number }, mostSeconds: number) => {
  if (to > from && to - from <= mostSeconds) return { fromSeconds: from, toSeconds: to }
  throw new UsageError(`Expected a stretch of at most ${mostSeconds} seconds, got ${from} to ${to}`, {
    remedy: 'Ask for a shorter one; for longer ones there is vidgrep clip',
  })
}

type Placed = Omit<StretchBody, 'video'> & { readonly video: string; readonly path: string }

/** Where the files lie, by their fingerprints. @throws FileGoneError, VideoUnknownError */
const placed = async (
  collections: Collections,
  { moments, collection }: { readonly moments: readonly StretchBody[]; readonly collection?: string },
): Promise<readonly Placed[]> => {
  const paths = new Map<string, string>()
  for (const { video } of moments) {
    if (!paths.has(video)) paths.set(video, await presentPath(await collections.video(video, collection)))
  }
  return moments.map((moment) => ({ ...moment, path: paths.get(moment.video)! }))
}

/** A clip cannot be written to a stream: its index comes last. */
const clipStream = async (
  path: string,
  stretch: { readonly fromSeconds: number; readonly toSeconds: number },
  signal: AbortSignal,
): Promise<Readable> => {
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-clip-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const file = join(folder, 'clip.mp4')
    await writeClip(path, { ...stretch, file, signal })
    const stream = createReadStream(file)
    stream.once('close', () => void remove())
    return stream
  } catch (error) {
    await remove()
    throw error
  }
}

const exported = async (
  format: keyof typeof types,
  moments: readonly Placed[],
  signal: AbortSignal,
): Promise<Buffer> => {
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-export-'))
  try {
    const file = join(folder, `moments.${format}`)
    const ranked = moments.map((moment, i) => ({ ...moment, rank: i + 1, box: [0, 0, 1, 1] as const }))
    const { written, missing } = await exportMoments({ query: moments[0]!.name, moments: ranked }, file, { signal })
    if (written > 0) return await readFile(file)
    throw new VidgrepError('file-gone', missing[0]?.reason ?? 'None of the files is there', {
      remedy: 'Index its folder again, or forget files that are gone: vidgrep prune',
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** As it may stand in a file's name anywhere. */
const fileTime = (seconds: number): string => formatTimestamp(seconds).replaceAll(':', '-')

/** ZIP files keep no two names alike apart, and some programs no slashes or control characters. */
const freeName = (wanted: string, taken: Set<string>): string => {
  const name = wanted.replace(/[\p{Cc}/\\:*?"<>|]/gu, '_')
  let free = name
  for (let i = 2; taken.has(free); i++) free = name.replace(/\.mp4$/, ` (${i}).mp4`)
  taken.add(free)
  return free
}
