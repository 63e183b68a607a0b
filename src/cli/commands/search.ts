import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArgumentsCamelCase, InferredOptionTypes } from 'yargs'
import {
  aspects,
  checkOutputs,
  defaultModelName,
  type ExamplePicture,
  exportMoments,
  folders,
  formatSpan,
  formatTimestamp,
  type Index,
  type Moment,
  parseTimestamp,
  type SearchOptions,
  type SearchResult,
  searchDefaults,
  searchFilters,
  UsageError,
  writeClips,
  writePictures,
} from '../../index.ts'
import {
  defineCommand,
  deviceOption,
  jsonOption,
  modelOption,
  type NamedOptions,
  storeOptions,
  withIndex,
} from '../options.ts'
import { type Context, type ExitCode, exitCodes, print, printJson, warn } from '../run.ts'

/** What `search` and `similar` can be told. */
export const searchingOptions = {
  n: { type: 'number', default: searchDefaults.n, requiresArg: true, describe: 'Moments to find' },
  likely: { type: 'boolean', default: false, describe: 'Leave out weak moments' },
  strictness: {
    type: 'number',
    default: searchDefaults.strictness,
    requiresArg: true,
    describe: 'Likelihood, 0 to 1, from which a moment counts as likely',
  },
  threshold: { type: 'number', requiresArg: true, describe: 'Minimum score' },
  like: {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'Something that looks like this: a picture file or VIDEO@TIME; may be given again',
  },
  unlike: { type: 'string', array: true, nargs: 1, describe: 'Nothing that looks like this; may be given again' },
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
  copies: {
    type: 'boolean',
    default: false,
    describe: 'Show copies of a moment in other videos as moments of their own',
  },
  pictures: {
    type: 'string',
    requiresArg: true,
    describe: 'Folder for a picture of each moment with its patch outlined',
  },
  clips: { type: 'string', requiresArg: true, describe: 'Folder for a clip of each moment' },
  margin: {
    type: 'number',
    requiresArg: true,
    describe: 'With --clips: seconds before and after each moment',
    defaultDescription: '1',
  },
  force: { type: 'boolean', default: false, describe: 'With --clips: replace clips that are there' },
  sheet: { type: 'string', requiresArg: true, describe: 'File for one JPEG of all moments' },
  export: {
    type: 'string',
    requiresArg: true,
    describe: 'File for the moments as clips: .edl, .otio, .fcpxml or .csv',
  },
  ...storeOptions,
  ...modelOption,
  ...deviceOption,
  ...jsonOption,
} as const satisfies NamedOptions

export const searchCommand = defineCommand({
  command: 'search [query..]',
  describe: 'Find the moments that show what you describe',
  options: {
    // As an array it would not take the dash.
    image: {
      type: 'string',
      requiresArg: true,
      describe: 'Something that looks like this picture; - reads it from standard input',
    },
    within: {
      type: 'string',
      requiresArg: true,
      describe: 'With "one" > "another": most seconds from one to the next',
      defaultDescription: `${searchDefaults.withinSeconds}`,
    },
    filter: {
      choices: searchFilters,
      default: searchDefaults.filter,
      requiresArg: true,
      describe: "moments: stretches found for the query; article: the article's way, for comparison",
    },
    gap: {
      type: 'number',
      requiresArg: true,
      describe: 'With --filter article: minimum seconds between moments',
      defaultDescription: `${searchDefaults.gapSeconds}`,
    },
    language: {
      type: 'string',
      requiresArg: true,
      describe: 'Language of the query (en, de, fr …), where the guess is wrong',
    },
    curve: {
      type: 'string',
      requiresArg: true,
      describe: 'Show how well each frame of this one video fits, by its path or the end of it',
    },
    output: {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      implies: 'curve',
      describe: 'With --curve: file for the plot, .svg or .png',
    },
    ...searchingOptions,
  },
  builder: (yargs) =>
    yargs
      .positional('query', { type: 'string', array: true, default: [] as string[], describe: 'What should be seen' })
      .example('$0 search "a red car"', 'the six best moments')
      .example('$0 search a red car -n 20 --path "2024/**"', 'more of them, from some videos only')
      .example(`$0 search '"a dog" + "a beach"'`, 'both in one frame')
      .example(`$0 search '"a beach" - "people"'`, 'a beach without people')
      .example(`$0 search '"a man enters" > "he sits down"'`, 'the one, then the other')
      .example('$0 search --image beach.jpg "at night"', 'like a picture, and as the words say')
      .example('$0 search "a red car" --sheet cars.jpg', 'and a contact sheet')
      .example('$0 search "a red car" --curve a.mp4 -o a.png', 'all along one video'),
  run: async (args, context) => {
    const { query, image, like = [], unlike = [], filter, gap, within, language } = args
    hintAtQuotes(query)
    const text = query.join(' ')
    const images = await Promise.all([image ?? []].flat().map(pictureFrom))
    const liked = [...images, ...like.map(placeOrPicture)]
    const asked = liked.length + unlike.length > 0 ? { text, like: liked, unlike: unlike.map(placeOrPicture) } : text
    const withinSeconds = within === undefined ? undefined : parseTimestamp(within)
    if (args.curve !== undefined) {
      const { runCurve } = await import('./curve.ts')
      const options = { ...searchOptions(args, context), withinSeconds, language }
      return runCurve({ query: asked, video: args.curve, output: args.output, json: args.json }, args, options)
    }
    return showMoments(args, context, (index, options) =>
      index.search(asked, { ...options, filter, gapSeconds: gap, withinSeconds, language }),
    )
  },
})

/** What the parser makes of {@link searchingOptions}. */
type SearchingArguments = ArgumentsCamelCase<InferredOptionTypes<typeof searchingOptions>>

const searchOptions = (args: SearchingArguments, { signal }: Context): SearchOptions => {
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
    onTruncated: () => warn('The query is longer than the model reads: only its beginning counts.'),
    onUnknown: () => warn('The model knows no word of this query: its scores mean nothing. Use other words.'),
    onForeign: (language) =>
      warn(`This model knows English only, and the query looks like ${language}. Use English words.`),
    signal,
  }
}

/** Asks a collection, then prints, draws, cuts and exports what it found. */
export const showMoments = async (
  args: SearchingArguments,
  context: Context,
  ask: (index: Index, options: SearchOptions) => Promise<SearchResult>,
): Promise<ExitCode> => {
  const { json, pictures, clips, sheet, export: exported } = args
  const { signal } = context
  const options = searchOptions(args, context)
  const wantsPictures = pictures !== undefined || sheet !== undefined
  if (wantsPictures || clips !== undefined || exported !== undefined) {
    await checkOutputs({ pictures, clips, sheet, export: exported })
  }
  const found = await withIndex(args, async (index) => {
    const found = await ask(index, options)
    if (json) return found
    printMoments(found)
    if (index.model.name === defaultModelName) await hintAtClip()
    return found
  })
  if (json) printJson(toJson(found))
  const say = json ? warn : print
  let someFailed = false
  if (wantsPictures) {
    const { written, missing } = await writePictures(found, { pictures, sheet, signal })
    for (const { moment, reason } of missing) warn(`No picture of ${moment.path}: ${reason}`)
    if (pictures !== undefined) say(`${written} ${written === 1 ? 'picture' : 'pictures'} in ${pictures}`)
    if (sheet !== undefined) say(`Contact sheet: ${sheet}`)
    someFailed = missing.length > 0
  }
  if (clips !== undefined) {
    const { margin: marginSeconds, force } = args
    const { clips: written, missing } = await writeClips(found, { clips, marginSeconds, force, signal })
    for (const { moment, reason } of missing) warn(`No clip of ${moment.path}: ${reason}`)
    say(`${written.length} ${written.length === 1 ? 'clip' : 'clips'} in ${clips}`)
    someFailed ||= missing.length > 0
  }
  if (exported !== undefined) {
    const { written, missing } = await exportMoments(found, exported, { signal })
    for (const { moment, reason } of missing) warn(`Not exported, ${moment.path}: ${reason}`)
    if (written > 0) say(`${written} ${written === 1 ? 'moment' : 'moments'} in ${exported}`)
    else warn(`No moments to export: ${exported} was not written`)
    someFailed ||= missing.length > 0
  }
  return someFailed ? exitCodes.someFailed : exitCodes.done
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

const toJson = ({ query, model, collection, cutoff, unknown, language, bestScore, moments }: SearchResult) => ({
  query,
  model,
  collection,
  cutoff: cutoff ?? null,
  unknown,
  language: language ?? null,
  bestScore: bestScore ?? null,
  moments: moments.map(({ likelihood, ...moment }) => ({ ...moment, likelihood: likelihood ?? null })),
})

/** Likely moments first, as they come, then the weak ones below a line. */
const printMoments = (found: SearchResult): void => {
  const { moments, bestScore, cutoff } = found
  const weak = moments.filter(({ likely }) => !likely)
  // How likely pictures are to be alike is not known.
  const weakWords = weak.some(({ likelihood }) => likelihood !== undefined) ? 'Weak, no better than chance:' : 'Weak:'
  printRows(moments, 0, moments.length - weak.length)
  if (weak.length > 0) {
    warn(weak.length === moments.length ? 'Nothing here looks like that; nearest:' : weakWords)
    printRows(moments, moments.length - weak.length, moments.length)
  }
  if (bestScore === undefined) warn('Nothing to search: no point of the collection matches these filters.')
  else if (moments.length === 0) warn(`Nothing here looks like that; the best score was ${bestScore.toFixed(2)}.`)
  else if (cutoff === undefined) {
    warn('Which of these are likely is not known yet. Index the videos again, which is quick: vidgrep index FOLDER')
  }
}

const printRows = (moments: readonly Moment[], from: number, to: number): void => {
  const rankWidth = String(moments.length).length
  const spans = moments.map(formatSpan)
  const spanWidth = Math.max(...spans.map(({ length }) => length))
  for (const [i, { rank, score, path, parts = [], also = [] }] of moments.slice(from, to).entries()) {
    print(`${String(rank).padStart(rankWidth)}  ${score.toFixed(2)}  ${spans[from + i]!.padEnd(spanWidth)}  ${path}`)
    if (parts.some(({ step }) => step > 0)) {
      for (const { t, text } of parts) print(`${' '.repeat(rankWidth + 9)}${formatTimestamp(t)}  ${text}`)
    }
    for (const { t, path } of also) {
      print(`${' '.repeat(rankWidth + 9)}${`also ${formatTimestamp(t)}`.padEnd(spanWidth)}  ${path}`)
    }
  }
}

/** The fastest of those whose every hash is known. */
const clip = 'clip-vit-b-32'

const dayMs = 24 * 3600 * 1000

export type Hint = {
  /** Whether a person is there to read it. */
  readonly terminal: boolean
  /** Where it is remembered when the hint was given. */
  readonly folder: string
  readonly write: (line: string) => void
}

/**
 * Says that CLIP finds more than the starter model, at most once in 24 hours. Where that cannot be remembered it says
 * nothing: a line at every search would be worse than none.
 */
export const hintAtClip = async (hint?: Hint): Promise<void> => {
  const { terminal, folder, write } = hint ?? { terminal: process.stderr.isTTY, folder: folders().data, write: warn }
  if (!terminal || !(await remember(join(folder, 'clip-hint')))) return
  write(`CLIP finds far more than the starter model: vidgrep models pull ${clip} && vidgrep reindex --model ${clip}`)
}

/** @returns whether it was not remembered within a day, and is now */
const remember = async (file: string): Promise<boolean> => {
  const lastMs = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => Number.NEGATIVE_INFINITY,
  )
  // A clock that was set back must not silence it for good.
  if (Math.abs(Date.now() - lastMs) < dayMs) return false
  try {
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, '')
    return true
  } catch {
    return false
  }
}
