/** All that is asked: it lives in the address, so that a link leads to it. */
export type Search = {
  /** Words, or phrases in the grammar of queries. */
  readonly q: string
  /** What is to be seen soon after it. */
  readonly next?: string
  /** What is not to be seen with it; several are parted by commas. */
  readonly without?: string
  /** Pictures that it looks like, as the API names them: `picture:ID` or `VIDEO@SECONDS@X,Y,W,H`. */
  readonly like: readonly string[]
  readonly unlike: readonly string[]
  /** Globs of paths. */
  readonly path: readonly string[]
  /** Seconds within the video. */
  readonly after?: number
  readonly before?: number
  /** Lengths of videos in seconds. */
  readonly longer?: number
  readonly shorter?: number
  /** Days on which a video was recorded: from, and before. */
  readonly since?: string
  readonly until?: string
  /** Only likely moments. */
  readonly likely?: boolean
  /** Only moments of this score. */
  readonly threshold?: number
  readonly collection?: string
}

export const noSearch: Search = { q: '', like: [], unlike: [], path: [] }

const lists = ['like', 'unlike', 'path'] as const
const numbers = ['after', 'before', 'longer', 'shorter', 'threshold'] as const
const texts = ['q', 'next', 'without', 'since', 'until', 'collection'] as const

export const hasQuestion = ({ q, like }: Search): boolean => q.trim() !== '' || like.length > 0

const parametersOf = (search: Search): URLSearchParams => {
  const parameters = new URLSearchParams()
  for (const key of texts) if (search[key]?.trim()) parameters.set(key, search[key])
  for (const key of lists) for (const each of search[key]) parameters.append(key, each)
  for (const key of numbers) if (search[key] !== undefined) parameters.set(key, String(search[key]))
  if (search.likely) parameters.set('likely', 'true')
  return parameters
}

export const toAddress = (search: Search): string => {
  const text = parametersOf(search).toString()
  return text === '' ? '/' : `/?${text}`
}

export const fromAddress = (address: string): Search => {
  const { searchParams } = new URL(address)
  const number = (key: string): number | undefined => {
    const value = Number.parseFloat(searchParams.get(key) ?? '')
    return Number.isFinite(value) ? value : undefined
  }
  const text = (key: string) => searchParams.get(key) ?? undefined
  return {
    q: text('q') ?? '',
    ...Object.fromEntries(texts.slice(1).map((key) => [key, text(key)])),
    ...Object.fromEntries(numbers.map((key) => [key, number(key)])),
    like: searchParams.getAll('like'),
    unlike: searchParams.getAll('unlike'),
    path: searchParams.getAll('path'),
    likely: text('likely') === 'true',
  }
}

const quotes = /["“”„«»]/g

export const quoted = (text: string): string => `"${text.replace(quotes, ' ').trim()}"`

/** The boxes put together by the grammar of queries; plain words stay plain words. */
export const composed = ({ q, next, without }: Search): string => {
  const unwanted = (without ?? '').split(',').filter((each) => each.trim() !== '')
  const isAlone = !next?.trim() && unwanted.length === 0
  if (isAlone || q.trim() === '') return q
  // Who writes quotes writes the grammar.
  const first = q.search(quotes) >= 0 ? q : quoted(q)
  return [first, ...unwanted.map((each) => `- ${quoted(each)}`), ...(next?.trim() ? [`> ${quoted(next)}`] : [])].join(
    ' ',
  )
}

/** As the API is asked. The minimum score is left to the page, which knows the scores below it too. */
export const toParameters = (search: Search): URLSearchParams => {
  const parameters = parametersOf({ ...search, threshold: undefined, q: composed(search) })
  parameters.delete('next')
  parameters.delete('without')
  return parameters
}

/** The same search as a command. A picture that was handed in is on no disk, and boxes have no option: these are left out. */
export const toCommand = (search: Search, only?: string): string => {
  const { path, like, unlike, after, before, longer, shorter, since, until, likely, threshold, collection } = search
  const single = { after, before, longer, shorter, threshold, collection }
  const options = Object.entries({ ...single, 'recorded-after': since, 'recorded-before': until })
    .filter(([, value]) => value !== undefined)
    // One that begins with a dash would be taken for an option.
    .map(([key, value]) => `--${key}=${shellWord(String(value))}`)
  const paths = (only === undefined ? path : [only]).map((each) => `--path=${shellWord(each)}`)
  const places = (name: string, given: readonly string[]) =>
    given
      .filter((each) => !each.startsWith('picture:'))
      .map((each) => `--${name}=${shellWord(each.split('@').slice(0, 2).join('@'))}`)
  const text = composed(search).trim()
  return [
    ...['vidgrep search', ...places('like', like), ...places('unlike', unlike), ...paths, ...options],
    ...(likely ? ['--likely'] : []),
    ...(text === '' ? [] : ['--', shellWord(text)]),
  ].join(' ')
}

/** As a POSIX shell takes it literally. */
const shellWord = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
