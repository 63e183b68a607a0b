import type { ArgumentsCamelCase, InferredOptionTypes } from 'yargs'
import {
  aspects,
  type ExamplePicture,
  parseTimestamp,
  type Query,
  type SearchOptions,
  searchDefaults,
  UsageError,
} from '../index.ts'
import type { NamedOptions } from './options.ts'
import { type Context, warn } from './run.ts'

/** Pictures beside the words. */
export const likeOptions = {
  like: {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'Something that looks like this: a picture file or VIDEO@TIME; may be given again',
  },
  unlike: { type: 'string', array: true, nargs: 1, describe: 'Nothing that looks like this; may be given again' },
} as const satisfies NamedOptions

/** What a query can be made of. */
export const queryOptions = {
  // As an array it would not take the dash.
  image: {
    type: 'string',
    requiresArg: true,
    describe: 'Something that looks like this picture; - reads it from standard input',
  },
  language: {
    type: 'string',
    requiresArg: true,
    describe: 'Language of the query (en, de, fr …), where the guess is wrong',
  },
  ...likeOptions,
} as const satisfies NamedOptions

/** Which videos are searched, and what of them. */
export const filterOptions = {
  path: {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'Only videos whose path matches this glob; may be given again',
  },
  after: {
    type: 'string',
    requiresArg: true,
    describe: 'Only from this time within the video on (90, 1:30, 1m30s)',
  },
  before: { type: 'string', requiresArg: true, describe: 'Only up to this time within the video' },
  longer: { type: 'string', requiresArg: true, describe: 'Only videos at least so long (90, 1:30, 1m30s)' },
  shorter: { type: 'string', requiresArg: true, describe: 'Only videos at most so long' },
  'recorded-after': {
    type: 'string',
    requiresArg: true,
    describe: 'Only videos recorded on this day or later (2024, 2024-06, 2024-06-30), by what their files say',
  },
  'recorded-before': { type: 'string', requiresArg: true, describe: 'Only videos recorded before this day' },
  'indexed-since': { type: 'string', requiresArg: true, describe: 'Only videos indexed on this day or later' },
  aspect: { choices: aspects, requiresArg: true, describe: 'Only videos of this shape' },
} as const satisfies NamedOptions

/** How many moments there are, and which of them count. */
export const momentOptions = {
  n: { type: 'number', default: searchDefaults.n, requiresArg: true, describe: 'Moments to find' },
  likely: { type: 'boolean', default: false, describe: 'Leave out weak moments' },
  strictness: {
    type: 'number',
    default: searchDefaults.strictness,
    requiresArg: true,
    describe: 'Likelihood, 0 to 1, from which a moment counts as likely',
  },
  threshold: { type: 'number', requiresArg: true, describe: 'Minimum score' },
  copies: {
    type: 'boolean',
    default: false,
    describe: 'Show what looks the same as a better moment, in a copy or at another time, as a moment of its own',
  },
} as const satisfies NamedOptions

/** What the parser makes of a group of options. */
export type Arguments<O extends NamedOptions> = ArgumentsCamelCase<InferredOptionTypes<O>>

type QueryArguments = Partial<Arguments<typeof queryOptions>> & { readonly query: readonly string[] }

/** Words, or an example where there are pictures too. */
export const queryFrom = async ({ query, image, like = [], unlike = [] }: QueryArguments): Promise<Query> => {
  hintAtQuotes(query)
  const text = query.join(' ')
  const images = await Promise.all([image ?? []].flat().map(pictureFrom))
  const liked = [...images, ...like.map(placeOrPicture)]
  return liked.length + unlike.length > 0 ? { text, like: liked, unlike: unlike.map(placeOrPicture) } : text
}

type SearchArguments = Partial<Arguments<typeof filterOptions & typeof momentOptions & typeof queryOptions>>

/** The library's options, and what it has to say of a query on stderr. */
export const searchOptions = (args: SearchArguments, { signal }: Context): SearchOptions => {
  const seconds = (text: string | undefined) => (text === undefined ? undefined : parseTimestamp(text))
  const day = (text: string | undefined) => (text === undefined ? undefined : parseDay(text))
  return {
    n: args.n,
    likely: args.likely,
    strictness: args.strictness,
    threshold: args.threshold,
    copies: args.copies,
    paths: args.path,
    afterSeconds: seconds(args.after),
    beforeSeconds: seconds(args.before),
    longerSeconds: seconds(args.longer),
    shorterSeconds: seconds(args.shorter),
    recordedAfter: day(args.recordedAfter),
    recordedBefore: day(args.recordedBefore),
    indexedSince: day(args.indexedSince),
    aspect: args.aspect,
    language: args.language,
    onTruncated: () => warn('The query is longer than the model reads: only its beginning counts.'),
    onUnknown: () => warn('The model knows no word of this query: its scores mean nothing. Use other words.'),
    onForeign: (language) =>
      warn(`This model knows English only, and the query looks like ${language}. Use English words.`),
    signal,
  }
}

/** A shell takes the quotes off: of `"a dog" + "a beach"` only the words arrive here. */
const hintAtQuotes = (words: readonly string[]): void => {
  const isSign = (word: string | undefined) => word !== undefined && /^[+\-−–>]$/.test(word)
  const hasPhrase = words.some((word, i) => /\s/.test(word) && (isSign(words[i - 1]) || isSign(words[i + 1])))
  if (!hasPhrase || words.some((word) => word.includes('"'))) return
  const quoted = words.map((word) => (isSign(word) ? word : `"${word}"`)).join(' ')
  warn(`Searching for plain words. To put phrases together, quote all of it: vidgrep search '${quoted}'`)
}

/** `VIDEO@TIME`, or a picture file. */
export const placeOrPicture = (text: string): ExamplePicture => {
  const at = text.lastIndexOf('@')
  const t = at > 0 ? timeOrNone(text.slice(at + 1)) : undefined
  return t === undefined ? { image: text } : { video: text.slice(0, at), t }
}

const timeOrNone = (text: string): number | undefined => {
  try {
    return parseTimestamp(text)
  } catch {
    return undefined
  }
}

const pictureFrom = async (file: string): Promise<ExamplePicture> =>
  file === '-' ? { image: await readStdin() } : { image: file }

/** Most bytes of a picture from standard input. */
const mostStdinBytes = 256 << 20

const readStdin = async (): Promise<Uint8Array> => {
  const remedy = 'Pipe a picture into it: vidgrep search --image - < beach.jpg'
  if (process.stdin.isTTY) throw new UsageError('Expected a picture on standard input, got a terminal', { remedy })
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > mostStdinBytes) {
      throw new UsageError('Expected a picture of at most 256 MB on standard input, got more', { remedy })
    }
  }
  if (bytes === 0) throw new UsageError('Expected a picture on standard input, got nothing', { remedy })
  return Buffer.concat(chunks)
}

/**
 * The beginning of a year, month or day in local time (2024, 2024-06, 2024-06-30), or a time as ISO 8601 has it.
 *
 * @throws UsageError for anything else
 */
const parseDay = (text: string): Date => {
  const [, year, month = '1', day = '1'] = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/.exec(text) ?? []
  const date = year ? new Date(Number(year), Number(month) - 1, Number(day)) : new Date(text)
  // 2024-02-31 is no day: the date would be one of March.
  const isDay = !year || (date.getMonth() === Number(month) - 1 && date.getDate() === Number(day))
  if (isDay && !Number.isNaN(date.getTime()) && /^\d{4}/.test(text)) return date
  throw new UsageError(`Expected a day such as 2024-06-30, got "${text}"`, {
    remedy: 'Give a year, a month (2024-06), a day (2024-06-30) or a time (2024-06-30T18:00)',
  })
}
