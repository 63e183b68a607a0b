import type { Health, MomentAnswer, SearchAnswer, VideoAnswer } from '../server/schemas.ts'

export type { Health, MomentAnswer as Moment, SearchAnswer, VideoAnswer as Video }

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

const get = async <T>(path: string, signal?: AbortSignal): Promise<T> => {
  const response = await fetch(`/api/v1/${path}`, { signal }).catch((error: Error) => {
    if (error.name === 'AbortError') throw error
    throw new ApiError(away)
  })
  const body = await response.json().catch(() => ({ error: away }))
  if (!response.ok) throw new ApiError(body.error)
  return body as T
}

export type Search = {
  /** Words; empty on the first page. */
  readonly q: string
  /** Globs of paths. */
  readonly path: readonly string[]
  /** Seconds within the video. */
  readonly after?: number
  readonly before?: number
  /** Only likely moments. */
  readonly likely?: boolean
  readonly collection?: string
}

const parametersOf = ({ q, path, after, before, likely, collection }: Search): URLSearchParams => {
  const given = Object.entries({ q, after, before, likely: likely || undefined, collection }).filter(
    (entry): entry is [string, string | number | true] => entry[1] !== undefined && entry[1] !== '',
  )
  return new URLSearchParams([
    ...given.map(([key, value]) => [key, String(value)]),
    ...path.map((each) => ['path', each]),
  ])
}

export const searchMoments = (search: Search, n: number, signal: AbortSignal): Promise<SearchAnswer> => {
  const parameters = parametersOf(search)
  parameters.set('n', String(n))
  return get(`search?${parameters}`, signal)
}

export const listVideos = (): Promise<readonly VideoAnswer[]> => get('videos')

export const health = (): Promise<Health> => get('health')

export const frameUrl = (video: string, seconds: number, width: number): string =>
  `/api/v1/frames/${video}/${Math.max(0, seconds).toFixed(3)}.jpg?w=${width}`

export const streamUrl = (video: string): string => `/api/v1/videos/${video}/stream`

/** The whole search as the address's query, so that a link leads to it. */
export const toAddress = (search: Search): string => {
  const text = parametersOf(search).toString()
  return text === '' ? '/' : `/?${text}`
}

export const fromAddress = (address: string): Search => {
  const { searchParams } = new URL(address, location.origin)
  const number = (key: string): number | undefined => {
    const value = Number.parseFloat(searchParams.get(key) ?? '')
    return Number.isFinite(value) ? value : undefined
  }
  return {
    q: searchParams.get('q') ?? '',
    path: searchParams.getAll('path'),
    after: number('after'),
    before: number('before'),
    likely: searchParams.get('likely') === 'true',
    collection: searchParams.get('collection') ?? undefined,
  }
}
