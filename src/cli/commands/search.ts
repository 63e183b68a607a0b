import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  checkOutputs,
  defaultModelName,
  exportMoments,
  folders,
  formatSpan,
  type Moment,
  parseTimestamp,
  type SearchResult,
  searchDefaults,
  searchFilters,
  writeClips,
  writePictures,
} from '../../index.ts'
import { defineCommand, deviceOption, jsonOption, modelOption, storeOptions, withIndex } from '../options.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

export const searchCommand = defineCommand({
  command: 'search <query..>',
  describe: 'Find the moments that show what you describe',
  options: {
    n: { type: 'number', default: searchDefaults.n, requiresArg: true, describe: 'Moments to find' },
    likely: { type: 'boolean', default: false, describe: 'Leave out weak moments' },
    strictness: {
      type: 'number',
      default: searchDefaults.strictness,
      requiresArg: true,
      describe: 'Likelihood, 0 to 1, from which a moment counts as likely',
    },
    threshold: { type: 'number', requiresArg: true, describe: 'Minimum score' },
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
    ...storeOptions,
    ...modelOption,
    ...deviceOption,
    ...jsonOption,
  },
  builder: (yargs) =>
    yargs
      .positional('query', { type: 'string', array: true, demandOption: true, describe: 'What should be seen' })
      .example('$0 search "a red car"', 'the six best moments')
      .example('$0 search a red car -n 20 --path "2024/**"', 'more of them, from some videos only')
      .example('$0 search "a red car" --sheet cars.jpg', 'and a contact sheet')
      .example('$0 search "a red car" --curve a.mp4 -o a.png', 'all along one video'),
  run: async (
    { query, n, likely, strictness, threshold, filter, gap, path, after, before, json, ...args },
    { signal },
  ) => {
    const { pictures, clips, sheet, export: exported } = args
    const options = {
      n,
      likely,
      strictness,
      threshold,
      filter,
      gapSeconds: gap,
      paths: path,
      afterSeconds: after === undefined ? undefined : parseTimestamp(after),
      beforeSeconds: before === undefined ? undefined : parseTimestamp(before),
      onTruncated: () => warn('The query is longer than the model reads: only its beginning counts.'),
      onUnknown: () => warn('The model knows no word of this query: its scores mean nothing. Use other words.'),
      signal,
    }
    if (args.curve !== undefined) {
      const { runCurve } = await import('./curve.ts')
      return runCurve({ query: query.join(' '), video: args.curve, output: args.output, json }, args, options)
    }
    const wantsPictures = pictures !== undefined || sheet !== undefined
    if (wantsPictures || clips !== undefined || exported !== undefined) {
      await checkOutputs({ pictures, clips, sheet, export: exported })
    }
    const found = await withIndex(args, async (index) => {
      const found = await index.search(query.join(' '), options)
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
  },
})

const toJson = ({ query, model, collection, cutoff, unknown, bestScore, moments }: SearchResult) => ({
  query,
  model,
  collection,
  cutoff: cutoff ?? null,
  unknown,
  bestScore: bestScore ?? null,
  moments: moments.map(({ likelihood, ...moment }) => ({ ...moment, likelihood: likelihood ?? null })),
})

/** Likely moments first, then the weak ones below a line. They come best first, so that the order stays. */
const printMoments = (found: SearchResult): void => {
  const { moments, bestScore, cutoff } = found
  const weak = moments.filter(({ likely }) => !likely)
  printRows(moments, 0, moments.length - weak.length)
  if (weak.length > 0) {
    warn(weak.length === moments.length ? 'Nothing here looks like that; nearest:' : 'Weak, no better than chance:')
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
  for (const [i, { rank, score, path }] of moments.slice(from, to).entries()) {
    print(`${String(rank).padStart(rankWidth)}  ${score.toFixed(2)}  ${spans[from + i]!.padEnd(spanWidth)}  ${path}`)
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
