import { once } from 'node:events'
import { basename, join, parse, resolve } from 'node:path'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import sharp from 'sharp'
import { VidgrepError } from '../errors.ts'
import {
  checkOutputs,
  folders,
  formatSpan,
  formatTimestamp,
  frame,
  type Index,
  type OpenIndexOptions,
  openIndex,
  type SearchOptions,
  type SearchResult,
  writeClip,
} from '../index.ts'
import { version } from '../version.ts'
import * as schemas from './schemas.ts'

export type McpOptions = OpenIndexOptions & {
  /** Folder that clips are written into. @default "clips" in the data folder */
  readonly clips?: string
  readonly signal: AbortSignal
}

const instructions =
  'Finds moments in a collection of indexed videos by what is to be seen in them, in plain words. Look at what search found ' +
  'with frame before you say what is there: a weak moment is no better than chance. Times are seconds from the start of the ' +
  'file. A video is named by its path, the end of it, or its fingerprint.'

/** Answers an assistant on standard input and output until that ends or `signal` aborts. */
export const serveMcp = async ({
  clips = join(folders().data, 'clips'),
  signal,
  ...open
}: McpOptions): Promise<void> => {
  const collection = openWhenAsked(open)
  const server = new McpServer({ name: 'vidgrep', version }, { instructions })
  addTools(server, collection.index, clips)
  const ended = Promise.race([once(process.stdin, 'end'), once(process.stdin, 'close')])
  try {
    await server.connect(new StdioServerTransport())
    if (!signal.aborted) await Promise.race([ended, once(signal, 'abort')])
  } finally {
    await server.close()
    await collection.close()
  }
}

/** The collection stays open with its model, so that only the first question waits for them. */
const openWhenAsked = (options: OpenIndexOptions) => {
  let opened: Promise<Index> | undefined
  const close = async (): Promise<void> => {
    const index = await opened?.catch(() => undefined)
    opened = undefined
    await index?.close()
  }
  return {
    close,
    index: async (): Promise<Index> => {
      opened ??= openIndex(options)
      try {
        const index = await opened
        // Somebody else may make the collection at any moment.
        if (!index.store) opened = undefined
        return index
      } catch (error) {
        opened = undefined
        throw error
      }
    },
  }
}

const readOnly = { readOnlyHint: true, openWorldHint: false } as const

const addTools = (server: McpServer, opened: () => Promise<Index>, clips: string): void => {
  server.registerTool('search', { ...schemas.search, annotations: readOnly }, ({ query, ...options }, { signal }) =>
    answer(async () => toAnswer(await (await opened()).search(query, searchOptions(options, signal)))),
  )

  server.registerTool(
    'similar',
    { ...schemas.similar, annotations: readOnly },
    ({ video, t, box, ...options }, { signal }) =>
      answer(async () => {
        const index = await opened()
        // Of this collection alone: the library would look at any file.
        const { record } = await index.video(video, { signal })
        return toAnswer(await index.similar({ video: record.video, t, box }, searchOptions(options, signal)))
      }),
  )

  server.registerTool('videos', { ...schemas.videos, annotations: readOnly }, ({ contains = '', limit, offset }) =>
    answer(async () => {
      const records = await (await opened()).videos()
      const all = records
        .map(({ video, files, status, durationSeconds, width, height }) => ({
          ...{ video, path: files[0]?.path ?? '', status },
          ...{ durationSeconds: durationSeconds ?? null, width: width ?? null, height: height ?? null },
        }))
        .filter(({ path }) => path.toLowerCase().includes(contains.toLowerCase()))
        .sort((a, b) => (a.path < b.path ? -1 : 1))
      const videos = all.slice(offset, offset + limit)
      return { structuredContent: { total: all.length, videos }, content: [text(videos.map(({ path }) => path))] }
    }),
  )

  server.registerTool(
    'frame',
    { ...schemas.frame, annotations: readOnly },
    ({ video, t, width: widthPixels }, { signal }) =>
      answer(async () => {
        const { path } = await (await opened()).video(video, { signal })
        const { width, height, data } = await frame(path, t, { width: widthPixels, signal })
        const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
          .jpeg()
          .toBuffer()
        return {
          content: [
            { type: 'image', data: jpeg.toString('base64'), mimeType: 'image/jpeg' },
            text([`${path} at ${formatTimestamp(t)}`]),
          ],
        }
      }),
  )

  server.registerTool('clip', schemas.clip, ({ video, from, to, name, replace }, { signal }) =>
    answer(async () => {
      const { path } = await (await opened()).video(video, { signal })
      const time = formatTimestamp(from).replaceAll(':', '-')
      const file = resolve(clips, basename(name ?? `${parse(path).name}_${time}.mp4`))
      await checkOutputs({ clips })
      const clip = await writeClip(path, { file, fromSeconds: from, toSeconds: to, force: replace, signal })
      const made = { file, mode: clip.mode, from: clip.fromSeconds, to: clip.toSeconds }
      return { structuredContent: made, content: [text([`${file}: ${formatSpan(made)}`])] }
    }),
  )
}

/** What somebody can do something about is told to the assistant with its remedy; a bug keeps its stack. */
const answer = async (work: () => Promise<CallToolResult>): Promise<CallToolResult> => {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof VidgrepError)) {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
      throw error
    }
    return { isError: true, content: [text([error.message, error.remedy])] }
  }
}

const text = (lines: readonly string[]) => ({ type: 'text' as const, text: lines.join('\n') })

const searchOptions = (filters: schemas.SearchFilters, signal: AbortSignal): SearchOptions => {
  const { after, before, recordedAfter, recordedBefore, ...options } = filters
  return {
    ...options,
    ...{ afterSeconds: after, beforeSeconds: before },
    recordedAfter: recordedAfter === undefined ? undefined : new Date(recordedAfter),
    recordedBefore: recordedBefore === undefined ? undefined : new Date(recordedBefore),
    signal,
  }
}

const toAnswer = ({ query, moments, cutoff, bestScore, unknown }: SearchResult): CallToolResult => {
  const found = moments.map(({ rank, video, path, t, from, to, score, likely, likelihood, box, parts, also }) => ({
    ...{ rank, video, path, t, from, to, score, likely, likelihood: likelihood ?? null, box: [...box] },
    ...(parts && { parts: parts.map(({ text, step, t, score, box }) => ({ text, step, t, score, box: [...box] })) }),
    ...(also && { also }),
  }))
  const lines = found.map(({ parts = [], also = [], ...moment }) =>
    [
      `${moment.rank}. ${moment.path} ${formatSpan(moment)}, score ${moment.score.toFixed(1)}`,
      ...(moment.likely ? [] : ['weak']),
      ...parts.map(({ text, t }) => `"${text}" at ${formatTimestamp(t)}`),
      ...(also.length > 0
        ? [`also in ${also.map(({ path, t }) => `${path} at ${formatTimestamp(t)}`).join(', ')}`]
        : []),
    ].join(', '),
  )
  if (unknown) lines.unshift('The model knows no word of this query: these moments mean nothing. Use other words.')
  if (found.length === 0) lines.push('Nothing was found.')
  return {
    structuredContent: { query, cutoff: cutoff ?? null, bestScore: bestScore ?? null, unknown, moments: found },
    content: [text(lines)],
  }
}
