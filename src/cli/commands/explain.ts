import { checkOutputs, type Explanation, formatTimestamp, parseTimestamp, UsageError, writeFrame } from '../../index.ts'
import { defineCommand, openingOptions, withIndex } from '../options.ts'
import { filterOptions, momentOptions, queryFrom, queryOptions, searchOptions } from '../query.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

/** A search shows the weak as well, below the line. */
const { likely: _, ...explainedOptions } = momentOptions

export const explainCommand = defineCommand({
  command: 'explain <place> [query..]',
  describe: 'Say how well a place fits a query, and why a search does not show it',
  options: {
    output: { alias: 'o', type: 'string', requiresArg: true, describe: 'Picture of the frame to write' },
    ...queryOptions,
    ...explainedOptions,
    ...filterOptions,
    ...openingOptions,
  },
  builder: (yargs) =>
    yargs
      .positional('place', { type: 'string', demandOption: true, describe: 'A video and a time in it: a.mp4@1:30' })
      .positional('query', { type: 'string', array: true, default: [] as string[], describe: 'What should be seen' })
      .example('$0 explain a.mp4@1:30 "a red car"', 'why is it not found there?')
      .example('$0 explain a.mp4@1:30 "a red car" -n 20 --path "2024/**"', 'with the options of that search'),
  run: async (args, context) => {
    const { place, output, json } = args
    const [, video, time] = /^(.+)@([^@]+)$/s.exec(place) ?? []
    if (video === undefined || time === undefined) {
      throw new UsageError(`Expected a video and a time, got ${place}`, { remedy: 'Write it like a.mp4@1:30' })
    }
    if (output !== undefined) await checkOutputs({ frame: output })
    const t = parseTimestamp(time)
    const query = await queryFrom(args)
    const options = searchOptions(args, context)
    const found = await withIndex(args, (index) => index.explain(query, { video, t }, options))
    if (json) printJson(toJson(found))
    else printExplanation(found)
    if (output !== undefined) {
      await writeFrame(output, found.path, found.best?.t ?? t, { signal: context.signal })
      if (!json) print(output)
    }
    return exitCodes.done
  },
})

const toJson = ({ best, score, likelihood, cutoff, rank, moment, ...rest }: Explanation) => ({
  ...rest,
  best: best ?? null,
  score: score ?? null,
  likelihood: likelihood ?? null,
  cutoff: cutoff ?? null,
  rank: rank ?? null,
  moment: moment ?? null,
})

const printExplanation = ({ path, t, verdict, best, score, likelihood, cutoff, rank, moment }: Explanation): void => {
  print(`${formatTimestamp(t)}  ${path}`)
  if (best) {
    const where =
      best.patch === 0 ? 'the whole frame' : `patch ${best.patch} at ${best.box.map((x) => x.toFixed(2)).join(' ')}`
    print(`Score ${score!.toFixed(2)}: ${where} at ${formatTimestamp(best.t)}`)
  }
  if (likelihood !== undefined)
    print(`Likelihood ${likelihood.toFixed(2)}; likely from a score of ${cutoff?.toFixed(2)}`)
  if (rank !== undefined) print(`Rank ${rank}`)
  const of = moment ? `${formatTimestamp(moment.t)} of ${moment.path}` : ''
  const verdicts: Record<Explanation['verdict'], string> = {
    shown: 'It is shown.',
    'in-moment': `It is part of the moment whose best frame is at ${of}.`,
    copy: `It is named as a copy of the moment at ${of}.`,
    weak: 'It is weak: shown below the line, and not at all with --likely.',
    'ranked-lower': 'Other moments fit better: ask for more with -n.',
    filtered: 'The filters leave it out.',
    'not-sampled': 'No frame was sampled at that time; the nearest one is given. Index with a smaller --every.',
  }
  warn(verdicts[verdict])
}
