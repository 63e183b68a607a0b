import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  checkOutputs,
  defaultGapSeconds,
  defaultModelName,
  defaultMoments,
  folders,
  formatSpan,
  parseTimestamp,
  type SearchResult,
  writePictures,
} from '../../index.ts'
import { defineCommand, deviceOption, jsonOption, modelOption, storeOptions, withIndex } from '../options.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

export const searchCommand = defineCommand({
  command: 'search <query..>',
  describe: 'Find the moments that show what you describe',
  options: {
    n: { type: 'number', default: defaultMoments, requiresArg: true, describe: 'Moments to find' },
    threshold: {
      type: 'number',
      requiresArg: true,
      describe: 'Minimum score',
      defaultDescription: "the model's own",
    },
    gap: {
      type: 'number',
      default: defaultGapSeconds,
      requiresArg: true,
      describe: 'Minimum seconds between moments of one video',
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
    sheet: { type: 'string', requiresArg: true, describe: 'File for one JPEG of all moments' },
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
      .example('$0 search "a red car" --sheet cars.jpg', 'and a contact sheet'),
  run: async ({ query, n, threshold, gap, path, after, before, pictures, sheet, json, ...args }, { signal }) => {
    const options = {
      n,
      threshold,
      gapSeconds: gap,
      paths: path,
      afterSeconds: after === undefined ? undefined : parseTimestamp(after),
      beforeSeconds: before === undefined ? undefined : parseTimestamp(before),
      onTruncated: () => warn('The query is longer than the model reads: only its beginning counts.'),
      onUnknown: () => warn('The model knows no word of this query: its scores mean nothing. Use other words.'),
      signal,
    }
    const wantsPictures = pictures !== undefined || sheet !== undefined
    if (wantsPictures) await checkOutputs({ pictures, sheet })
    const found = await withIndex(args, async (index) => {
      const found = await index.search(query.join(' '), options)
      if (json) return found
      printMoments(found)
      if (index.model.name === defaultModelName) await hintAtClip()
      return found
    })
    if (json) printJson(toJson(found))
    if (!wantsPictures) return exitCodes.done

    const { written, missing } = await writePictures(found, { pictures, sheet, signal })
    for (const { moment, reason } of missing) warn(`No picture of ${moment.path}: ${reason}`)
    const say = json ? warn : print
    if (pictures !== undefined) say(`${written} ${written === 1 ? 'picture' : 'pictures'} in ${pictures}`)
    if (sheet !== undefined) say(`Contact sheet: ${sheet}`)
    return missing.length > 0 ? exitCodes.someFailed : exitCodes.done
  },
})

const toJson = ({ query, model, collection, threshold, unknown, bestScore, moments }: SearchResult) => ({
  query,
  model,
  collection,
  threshold: threshold ?? null,
  unknown,
  bestScore: bestScore ?? null,
  moments,
})

const printMoments = ({ moments, bestScore, threshold, model }: SearchResult): void => {
  const rankWidth = String(moments.length).length
  const spans = moments.map(formatSpan)
  const spanWidth = Math.max(...spans.map(({ length }) => length))
  for (const [i, { rank, score, path }] of moments.entries()) {
    print(`${String(rank).padStart(rankWidth)}  ${score.toFixed(2)}  ${spans[i]!.padEnd(spanWidth)}  ${path}`)
  }
  if (moments.length > 0) {
    if (threshold === undefined)
      warn(`${model} has no measured threshold: these are its best, good or not. To set one: --threshold`)
    return
  }
  if (bestScore === undefined) warn('Nothing to search: no point of the collection matches these filters.')
  else {
    warn(`No moment reaches the threshold of ${threshold} (${model}); the best score was ${bestScore.toFixed(2)}.`)
    warn(`To see it anyway: --threshold ${Math.floor(bestScore)}`)
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
