import {
  checkOutputs,
  defaultModelName,
  exportMoments,
  formatSpan,
  formatTimestamp,
  type Index,
  type Moment,
  type SearchOptions,
  type SearchResult,
  writeClips,
  writePictures,
} from '../index.ts'
import { hintAtClip } from './hint.ts'
import { type NamedOptions, withIndex } from './options.ts'
import { type Arguments, searchOptions } from './query.ts'
import { type Context, type ExitCode, exitCodes, print, printJson, warn } from './run.ts'

/** Files that are written of what was found. */
export const outputOptions = {
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
} as const satisfies NamedOptions

/** What {@link showMoments} goes by. */
type ShowArguments = Parameters<typeof withIndex>[0] &
  Parameters<typeof searchOptions>[0] &
  Arguments<typeof outputOptions> & { readonly json: boolean }

/** Asks a collection, then prints, draws, cuts and exports what it found. */
export const showMoments = async (
  args: ShowArguments,
  context: Context,
  ask: (index: Index, options: SearchOptions) => Promise<SearchResult>,
): Promise<ExitCode> => {
  const options = searchOptions(args, context)
  const { pictures, clips, sheet, export: exported } = args
  if ([pictures, clips, sheet, exported].some((place) => place !== undefined)) {
    await checkOutputs({ pictures, clips, sheet, export: exported })
  }
  const found = await withIndex(args, async (index) => {
    const found = await ask(index, options)
    if (args.json) return found
    printMoments(found)
    if (index.model.name === defaultModelName) await hintAtClip()
    return found
  })
  if (args.json) printJson(momentsJson(found))
  return (await writeOutputs(found, args, context)) ? exitCodes.done : exitCodes.someFailed
}

/** @returns whether nothing was missing */
const writeOutputs = async (
  found: SearchResult,
  { json, pictures, clips, sheet, export: exported, margin: marginSeconds, force }: ShowArguments,
  { signal }: Context,
): Promise<boolean> => {
  const say = json ? warn : print
  const count = (of: number, one: string): string => `${of} ${one}${of === 1 ? '' : 's'}`
  let isWhole = true
  const warnOf = (
    missing: readonly { readonly moment: { readonly path: string }; readonly reason: string }[],
    what: string,
  ) => {
    for (const { moment, reason } of missing) warn(`${what} ${moment.path}: ${reason}`)
    isWhole &&= missing.length === 0
  }
  if (pictures !== undefined || sheet !== undefined) {
    const { written, missing } = await writePictures(found, { pictures, sheet, signal })
    warnOf(missing, 'No picture of')
    if (pictures !== undefined) say(`${count(written, 'picture')} in ${pictures}`)
    if (sheet !== undefined) say(`Contact sheet: ${sheet}`)
  }
  if (clips !== undefined) {
    const { clips: written, missing } = await writeClips(found, { clips, marginSeconds, force, signal })
    warnOf(missing, 'No clip of')
    say(`${count(written.length, 'clip')} in ${clips}`)
  }
  if (exported !== undefined) {
    const { written, missing } = await exportMoments(found, exported, { signal })
    warnOf(missing, 'Not exported,')
    if (written > 0) say(`${count(written, 'moment')} in ${exported}`)
    else warn(`No moments to export: ${exported} was not written`)
  }
  return isWhole
}

/** As it is printed with --json. */
export const momentsJson = ({
  query,
  model,
  collection,
  cutoff,
  unknown,
  language,
  bestScore,
  moments,
}: SearchResult) => ({
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
export const printMoments = (found: SearchResult): void => {
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
