import type { Argv, CommandModule } from 'yargs'
import type { SearchQueryOptions, SearchResult } from '../../search/query.ts'
import { defaultGapSeconds, defaultMoments } from '../../search/search.ts'
import { formatSpan, parseTimestamp } from '../../search/timestamp.ts'
import { hintAtClip } from '../hint.ts'
import { withCollection } from '../open.ts'
import { deviceOption, jsonOption, modelOption, openOptions, type StoreArguments, storeOptions } from '../options.ts'
import { type Context, type ExitCode, exitCodes, print, printJson, run, warn } from '../run.ts'

type Arguments = StoreArguments & {
  readonly query: string[]
  readonly n: number
  readonly threshold?: number
  readonly gap: number
  readonly path?: string[]
  readonly after?: string
  readonly before?: string
  readonly pictures?: string
  readonly sheet?: string
  readonly json: boolean
}

export const searchCommand: CommandModule<unknown, Arguments> = {
  command: 'search <query..>',
  describe: 'Find the moments that show what you describe',
  builder: (yargs) => searchOptions(yargs) as Argv<Arguments>,
  handler: (args) => run(args.json, (context) => search(args, context)),
}

const searchOptions = (yargs: Argv) =>
  storeOptions(modelOption(deviceOption(jsonOption(yargs))))
    .positional('query', { type: 'string', array: true, demandOption: true, describe: 'What is to be seen' })
    .option('n', { type: 'number', default: defaultMoments, requiresArg: true, describe: 'Moments wanted' })
    .option('threshold', {
      type: 'number',
      requiresArg: true,
      describe: 'Least score',
      defaultDescription: "the model's own",
    })
    .option('gap', {
      type: 'number',
      default: defaultGapSeconds,
      requiresArg: true,
      describe: 'Seconds between moments of one video, at least',
    })
    .option('path', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Only videos whose path matches this glob; may be given again',
    })
    .option('after', {
      type: 'string',
      requiresArg: true,
      describe: 'Only from this time within the video on (90, 1:30, 1m30s)',
    })
    .option('before', { type: 'string', requiresArg: true, describe: 'Only up to this time within the video' })
    .option('pictures', {
      type: 'string',
      requiresArg: true,
      describe: 'Folder to write a picture of each moment to, its patch outlined',
    })
    .option('sheet', { type: 'string', requiresArg: true, describe: 'File to write one JPEG of all moments to' })
    .example('$0 search "a red car"', 'the six best moments')
    .example('$0 search a red car -n 20 --path "2024/**"', 'more of them, from some videos only')
    .example('$0 search "a red car" --sheet cars.jpg', 'and a contact sheet')

const search = async (args: Arguments, { signal }: Context): Promise<ExitCode> => {
  const options = searchQuery(args)
  const { searchWords } = await import('../../search/query.ts')
  const found = await withCollection(openOptions(args), (collection) =>
    searchWords(collection, args.query.join(' '), { ...options, signal }),
  )
  if (args.json) printJson(toJson(found))
  else {
    tell(found)
    await hintAtClip(found.model)
  }
  if (args.pictures === undefined && args.sheet === undefined) return exitCodes.done
  const { writePictures } = await import('../pictures.ts')
  return writePictures(found, args, signal)
}

const searchQuery = (args: Arguments): SearchQueryOptions => ({
  n: args.n,
  gapSeconds: args.gap,
  onTruncated: () => warn('The query is longer than the model reads: only its beginning counts.'),
  onUnknown: () => warn('The model knows no word of the query: the scores say nothing. Use other words.'),
  ...(args.threshold === undefined ? {} : { threshold: args.threshold }),
  ...(args.path === undefined ? {} : { paths: args.path }),
  ...(args.after === undefined ? {} : { afterSeconds: parseTimestamp(args.after) }),
  ...(args.before === undefined ? {} : { beforeSeconds: parseTimestamp(args.before) }),
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

const tell = ({ moments, bestScore, threshold, model }: SearchResult): void => {
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
  if (bestScore === undefined) warn('Nothing to search in: no point of the collection fits these filters.')
  else {
    warn(`No moment reaches the threshold of ${threshold} (${model}); the best score was ${bestScore.toFixed(2)}.`)
    warn(`To see it anyway: --threshold ${Math.floor(bestScore)}`)
  }
}
