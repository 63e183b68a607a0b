import { parseTimestamp, searchDefaults, searchFilters, UsageError } from '../../index.ts'
import { outputOptions, showMoments } from '../moments.ts'
import { defineCommand, openingOptions, withIndex } from '../options.ts'
import { filterOptions, momentOptions, queryFrom, queryOptions, searchOptions } from '../query.ts'

export const searchCommand = defineCommand({
  command: 'search [query..]',
  describe: 'Find the moments that show what you describe',
  options: {
    interactive: {
      alias: 'i',
      type: 'boolean',
      default: false,
      describe: 'Read queries line by line, with the model kept loaded',
    },
    ...queryOptions,
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
    ...momentOptions,
    ...filterOptions,
    ...outputOptions,
    ...openingOptions,
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
      .example('$0 search "a red car" --curve a.mp4 -o a.png', 'all along one video')
      .example('$0 search -i', 'query after query')
      .check(({ interactive, image, like, unlike, curve, pictures, clips, sheet, export: exported }) => {
        const other = Object.entries({ image, like, unlike, curve, pictures, clips, sheet, export: exported })
        const [name] = other.find(([, value]) => value !== undefined) ?? []
        if (!interactive || name === undefined) return true
        throw new UsageError(`Expected --interactive without --${name}`, { remedy: 'Leave one of them out' })
      }),
  run: async (args, context) => {
    const { filter, gap: gapSeconds, curve: video, output, json } = args
    const withinSeconds = args.within === undefined ? undefined : parseTimestamp(args.within)
    if (args.interactive) {
      const { runPrompt } = await import('../prompt.ts')
      const search = { ...searchOptions(args, context), filter, gapSeconds, withinSeconds }
      const first = args.query.join(' ')
      return withIndex(args, (index) => runPrompt(index, { search, json, first, signal: context.signal }))
    }
    const query = await queryFrom(args)
    if (video !== undefined) {
      const { runCurve } = await import('./curve.ts')
      return runCurve({ query, video, output, json }, args, { ...searchOptions(args, context), withinSeconds })
    }
    return showMoments(args, context, (index, options) =>
      index.search(query, { ...options, filter, gapSeconds, withinSeconds }),
    )
  },
})
