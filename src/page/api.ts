import type { Folders, Health, IndexingState, ServerEvent } from '../server/schemas/live.ts'
import type { CurveAnswer, MomentAnswer, SearchAnswer } from '../server/schemas/search.ts'
import type { ScenesAnswer, VideoAnswer, VideoDetails } from '../server/schemas/videos.ts'
import { type Search, toParameters } from './query.ts'

export type {
  CurveAnswer,
  Folders,
  Health,
  IndexingState,
  MomentAnswer as Moment,
  ScenesAnswer,
  SearchAnswer,
  ServerEvent,
  VideoAnswer as Video,
}

/** What the server says went wrong, with its remedy. */
export class ApiError extends Error {
  readonly code: string
  readonly remedy: string

  constructor({ code, message, remedy }: { code: string; message: string; remedy: string }) {
    super(message)
    this.code = code
    this.remedy = remedy
  }
}

const away = {
  code: 'server-away',
  message: 'The server does not answer.',
  remedy: 'Is vidgrep serve still running? The page goes on as soon as it is.',
}

const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
  const response = await fetch(`/api/v1/${path}`, init).catch((error: Error) => {
    if (error.name === 'AbortError') throw error
    throw new ApiError(away)
  })
  if (response.ok) return response
  const { error } = await response.json().catch(() => ({ error: away }))
  throw new ApiError(error)
}

const get = async <T>(path: string, signal?: AbortSignal): Promise<T> => (await ask(path, { signal })).json()

const send = (method: string, path: string, body?: unknown): Promise<Response> =>
  ask(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })

/** @param offset moments that are known already */
export const searchMoments = (
  search: Search,
  { n, offset }: { readonly n: number; readonly offset: number },
  signal: AbortSignal,
): Promise<SearchAnswer> => {
  const parameters = toParameters(search)
  parameters.set('n', String(n))
  if (offset > 0) parameters.set('offset', String(offset))
  return get(`search?${parameters}`, signal)
}

/** How the search runs along one video. */
export const curveOf = (search: Search, video: string, signal: AbortSignal): Promise<CurveAnswer> => {
  const parameters = toParameters(search)
  parameters.set('video', video)
  return get(`curve?${parameters}`, signal)
}

const inCollection = (collection: string | undefined): string =>
  collection === undefined ? '' : `?collection=${encodeURIComponent(collection)}`

export const scenesOf = (video: string, collection: string | undefined, signal: AbortSignal): Promise<ScenesAnswer> =>
  get(`videos/${video}/scenes${inCollection(collection)}`, signal)

export const listVideos = (collection?: string): Promise<readonly VideoAnswer[]> =>
  get(`videos${inCollection(collection)}`)

export const listCollections = (): Promise<{ readonly current: string; readonly names: readonly string[] }> =>
  get('collections')

export const eventsUrl = (collection?: string): string => `/api/v1/events${inCollection(collection)}`

/** @returns its name as `like` and `unlike` take it */
export const handIn = async (picture: Blob): Promise<string> => {
  const headers = { 'content-type': picture.type || 'image/jpeg' }
  const response = await ask('pictures', { method: 'POST', body: picture, headers })
  return `picture:${((await response.json()) as { id: string }).id}`
}

export const foldersIn = (path?: string): Promise<Folders> =>
  get(`folders${path === undefined ? '' : `?path=${encodeURIComponent(path)}`}`)

export const startIndexing = (paths: readonly string[], collection?: string): Promise<Response> =>
  send('POST', 'indexing', { paths, collection })

export const stopIndexing = (): Promise<Response> => send('DELETE', 'indexing')

export type Stretch = {
  readonly video: string
  readonly t: number
  readonly from: number
  readonly to: number
  readonly name: string
  readonly score: number
}

export const exportFormats = ['edl', 'otio', 'fcpxml', 'csv', 'json'] as const

export const exportStretches = async (
  format: (typeof exportFormats)[number],
  moments: readonly Stretch[],
  collection?: string,
): Promise<Blob> => (await send('POST', 'exports', { format, moments, collection })).blob()

export const clipStretches = async (moments: readonly Stretch[], collection?: string): Promise<Blob> =>
  (await send('POST', 'clips', { moments, collection })).blob()

const collectionOf = (): string | null => new URL(location.href).searchParams.get('collection')

/** Videos are looked up in the collection that the page shows. */
const videoUrl = (path: string, parameters: Readonly<Record<string, string>> = {}): string => {
  const collection = collectionOf()
  const query = new URLSearchParams({ ...parameters, ...(collection === null ? {} : { collection }) }).toString()
  return `/api/v1/${path}${query === '' ? '' : `?${query}`}`
}

export const frameUrl = (video: string, seconds: number, width: number): string =>
  videoUrl(`frames/${video}/${Math.max(0, seconds).toFixed(3)}.jpg`, { w: String(width) })

/** A small picture of about then: of a frame within so many seconds, as that comes at once. */
export const roughFrameUrl = (video: string, seconds: number, within: number): string =>
  videoUrl(`frames/${video}/${Math.max(0, seconds).toFixed(3)}.jpg`, { w: '320', within: String(within) })

export const streamUrl = (video: string): string => videoUrl(`videos/${video}/stream`)

export const previewUrl = (video: string, from: number, to: number): string =>
  videoUrl(`videos/${video}/preview.mp4`, { from: from.toFixed(3), to: to.toFixed(3) })

export const clipUrl = (video: string, from: number, to: number): string =>
  videoUrl(`videos/${video}/clip.mp4`, { from: from.toFixed(3), to: to.toFixed(3) })

/** The picture behind a name of `like` and `unlike`. */
export const likenessUrl = (name: string): string => {
  if (name.startsWith('picture:')) return `/api/v1/pictures/${name.slice('picture:'.length)}.jpg`
  const [video, seconds] = name.split('@')
  return frameUrl(video!, Number(seconds), 160)
}

export const detailsOf = (video: string): Promise<VideoDetails> =>
  get(videoUrl(`videos/${video}`).slice('/api/v1/'.length))

/** Why a file does not play: the server's error, or nothing if it is there. */
export const whyAway = async (video: string): Promise<ApiError | undefined> => {
  try {
    await ask(streamUrl(video).slice('/api/v1/'.length), { headers: { range: 'bytes=0-0' } })
    return undefined
  } catch (error) {
    return error instanceof ApiError ? error : undefined
  }
}
