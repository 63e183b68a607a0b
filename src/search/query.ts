import { UsageError } from '../errors.ts'
import type { Box } from '../store/store.ts'

/**
 * What is to be seen: words, phrases put together by the grammar of {@link parseQuery}, or an example.
 */
export type Query = string | Example

/** Something that looks like some pictures, and not like others. At least one of `text` and `like` is there. */
export type Example = {
  /** Words, or phrases as in a query; what is to be seen counts as a like, what is not as a dislike. */
  readonly text?: string
  readonly like?: readonly Picture[]
  readonly unlike?: readonly Picture[]
}

/** A picture file, the bytes of an encoded picture, or what a video shows. */
export type Picture = { readonly image: string | Uint8Array } | VideoPlace

/** What a video shows at a time, or a part of it. */
export type VideoPlace = {
  /** Fingerprint of a video of the collection, or the path of any video. */
  readonly video: string
  /** Seconds from the start of the file. */
  readonly t: number
  /** @default the whole frame */
  readonly box?: Box
}

/** @param weight above 0; 1 unless the query says otherwise */
export type Phrase = { readonly text: string; readonly weight: number }

/** What is to be seen at once, and what is not to be seen with it. */
export type Step = { readonly wanted: readonly Phrase[]; readonly unwanted: readonly Phrase[] }

/** A query that breaks the rules of the grammar. The excerpt points at the place. */
export class QueryError extends UsageError {
  /** Where in the query, in UTF-16 units from 0. */
  readonly at: number

  constructor(query: string, at: number, expected: string) {
    const got = /^\S+/.exec(query.slice(at))?.[0]
    super(`Expected ${expected}, got ${got ?? 'the end of the query'}`, {
      remedy:
        'Write it like "a dog" + "a beach", "a beach" - "people" or "a dog" > "a cat"; plain words need no quotes',
      excerpt: pointAt(query, at),
    })
    this.at = at
  }
}

/** Most phrases of a query: each is searched for. */
const mostPhrases = 8
const mostWeight = 10

const quoted = /["“”„«»][^"“”„«»]*["“”„«»]/
const sign = /[+\-−–>]/
const isOnePhrase = new RegExp(`^\\s*${quoted.source}\\s*$`)
/** It begins with a quote, or a phrase in quotes has one of the signs beside it. */
const isExpression = new RegExp(
  `^\\s*["“„«]|(?:^|\\s)${sign.source}\\s*${quoted.source}|${quoted.source}\\s*(?:\\*|${sign.source}(?:\\s|$))`,
)

/**
 * Reads a query. Without quotes it is plain words, whatever else is in it, and so it is in one pair of quotes. Phrases in
 * quotes are put together:
 *
 * - `"a dog" + "a beach"`: both in one frame
 * - `"a beach" - "people"`: the one without the other
 * - `"a man enters" > "he sits down"`: the one, and soon afterwards the other
 * - `"a dog"*2 + "a beach"`: the dog counts twice
 *
 * `*` binds most tightly, `>` least.
 *
 * @returns what is to be seen, in its order in time; never empty, and something is wanted at each step
 * @throws QueryError, a UsageError that points at the word
 * @throws UsageError if there are no words
 */
export const parseQuery = (query: string): readonly Step[] => {
  const words = isOnePhrase.test(query) ? query.trim().slice(1, -1) : query
  if (words.trim() === '') {
    throw new UsageError('Expected words that say what is to be seen, got none', {
      remedy: 'Such as: vidgrep search "a red car"',
    })
  }
  if (words !== query || !isExpression.test(query)) return [{ wanted: [{ text: words, weight: 1 }], unwanted: [] }]
  return stepsOf(query)
}

/** @throws UsageError, QueryError if a query asks for nothing, or breaks the rules of the grammar */
export const checkQuery = (query: Query): void => {
  if (typeof query === 'string') {
    parseQuery(query)
    return
  }
  const { text = '', like = [] } = query
  if (text.trim() !== '') parseQuery(text)
  else if (like.length === 0) {
    throw new UsageError('Expected words or a picture that say what is to be seen, got none', {
      remedy: 'Add words, or a picture: --image FILE',
    })
  }
}

/** Whether a query is words alone, so that one embedding says it all. */
export const isPlain = ([first, ...later]: readonly Step[]): boolean =>
  later.length === 0 && first?.wanted.length === 1 && first.unwanted.length === 0

const stepsOf = (query: string): readonly Step[] => {
  const reader = readerOf(query)
  const steps: Step[] = []
  let count = 0
  for (let hasMore = true; hasMore; ) {
    const wanted: Phrase[] = []
    const unwanted: Phrase[] = []
    const start = reader.next()
    let operator = reader.take(/[-−–]/y)
    do {
      const at = reader.next()
      const isWanted = operator === undefined || operator === '+'
      ;(isWanted ? wanted : unwanted).push(phrase(reader))
      if (++count > mostPhrases) throw new QueryError(query, at, `at most ${mostPhrases} phrases`)
      operator = reader.take(/[+\-−–]/y)
    } while (operator !== undefined)
    if (wanted.length === 0) throw new QueryError(query, start, 'something that is to be seen before what is not')
    steps.push({ wanted, unwanted })
    hasMore = reader.take(/>/y) !== undefined
  }
  if (!reader.isAtEnd()) throw new QueryError(query, reader.next(), '+, -, > or *, or the end')
  return steps
}

const phrase = ({ query, next, take }: Reader): Phrase => {
  const at = next()
  if (!/^["“”„«»]/.test(query.slice(at))) throw new QueryError(query, at, 'a phrase in quotes')
  const inQuotes = take(new RegExp(quoted, 'y'))
  if (inQuotes === undefined) throw new QueryError(query, at, 'a closing quote after this one')
  const text = inQuotes.slice(1, -1).trim()
  if (text === '') throw new QueryError(query, at, 'words between the quotes')
  if (take(/\*/y) === undefined) return { text, weight: 1 }
  const atWeight = next()
  const weight = Number(take(/\d*\.?\d+(?=\s|[+\-−–>]|$)/y))
  if (weight > 0 && weight <= mostWeight) return { text, weight }
  throw new QueryError(query, atWeight, `a weight above 0 and at most ${mostWeight}`)
}

type Reader = {
  readonly query: string
  /** Where the next character is that is no blank. */
  next(): number
  /** Takes what matches (a sticky pattern) at {@link next}, if it does. */
  take(pattern: RegExp): string | undefined
  isAtEnd(): boolean
}

const readerOf = (query: string): Reader => {
  let at = 0
  const next = () => {
    while (/^\s/.test(query.slice(at, at + 1))) at++
    return at
  }
  return {
    query,
    next,
    isAtEnd: () => next() === query.length,
    take: (pattern) => {
      pattern.lastIndex = next()
      const found = pattern.exec(query)?.[0]
      at += found?.length ?? 0
      return found
    },
  }
}

/** The query, and a caret under a place of it. */
const pointAt = (query: string, at: number): readonly string[] => {
  const line = query.replace(/\s|\p{Cc}/gu, ' ')
  const width = [...line.slice(0, at)].reduce((sum, character) => sum + (isWide.test(character) ? 2 : 1), 0)
  return [`  ${line}`, `  ${' '.repeat(width)}^`]
}

/** What a terminal gives two columns. */
const isWide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}！-｠]/u

/** A query in one line, for titles. */
export const describeQuery = (query: Query): string => {
  if (typeof query === 'string') return query
  const { text, like = [], unlike = [] } = query
  const parts = [
    text,
    like.length > 0 ? `like ${like.map(describePicture).join(', ')}` : undefined,
    unlike.length > 0 ? `unlike ${unlike.map(describePicture).join(', ')}` : undefined,
  ]
  return parts.filter((part) => part?.trim()).join(', ')
}

const describePicture = (picture: Picture): string => {
  if ('image' in picture) return typeof picture.image === 'string' ? nameOf(picture.image) : 'a picture'
  return `${nameOf(picture.video)}@${Number(picture.t.toFixed(3))}`
}

const nameOf = (path: string): string => path.split(/[/\\]/).at(-1)!
