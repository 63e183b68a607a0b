import type { Argv, CommandModule } from 'yargs'
import type { VideoResult } from '../../ingest/events.ts'
import type { Reindexed } from '../../reindex.ts'
import {
  deviceOption,
  type EncodingArguments,
  encodingOptions,
  jsonOption,
  openOptions,
  type StoreArguments,
  storeOptions,
} from '../options.ts'
import { openProgress } from '../progress.ts'
import { type Context, type ExitCode, exitCodes, print, printJson, run, warn } from '../run.ts'

type Arguments = StoreArguments &
  EncodingArguments & {
    readonly model: string
    readonly force: boolean
    readonly quiet: boolean
    readonly json: boolean
  }

export const reindexCommand: CommandModule<unknown, Arguments> = {
  command: 'reindex',
  describe: 'Move a collection to another model, from the files of its videos',
  builder: (yargs) => reindexOptions(yargs) as unknown as Argv<Arguments>,
  handler: (args) => run(args.json, (context) => reindexCollection(args, context)),
}

const reindexOptions = (yargs: Argv) =>
  encodingOptions(
    storeOptions(deviceOption(jsonOption(yargs))).option('model', {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'Name of the model that takes over, or a folder with a model.json',
    }),
  )
    .option('force', {
      type: 'boolean',
      default: false,
      describe: 'Switch even if videos are gone or failed that the old collection has',
    })
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'Only say what went wrong' })
    .epilogue('The old collection is searched until the new one is complete. Broken off, the same command goes on.')
    .example('$0 reindex --model clip-vit-b-32', 'from the starter model to CLIP')

const reindexCollection = async (args: Arguments, { signal }: Context): Promise<ExitCode> => {
  const { reindex } = await import('../../index.ts')
  const progress = openProgress({ quiet: args.quiet || args.json, terminal: process.stderr.isTTY })
  const jobs = args.jobs === undefined ? {} : { jobs: args.jobs }
  const events = reindex({ ...openOptions(args), model: args.model, force: args.force, signal, ...jobs })
  const videos: VideoResult[] = []
  let reindexed: Reindexed
  try {
    for (;;) {
      const { done, value } = await events.next()
      if (done) {
        reindexed = value
        break
      }
      progress.show(value)
      if (value.type === 'video') videos.push(value.result)
    }
  } finally {
    await events.return(undefined as never)
    progress.end()
  }
  if (args.json) printJson({ ...reindexed, totals: reindexed.totals ?? null, videos })
  else tell(reindexed, args.quiet)
  return reindexed.worse.length > 0 || !reindexed.switched ? exitCodes.someFailed : exitCodes.done
}

const tell = ({ collection, before, model, switched, vanished, worse, totals }: Reindexed, quiet: boolean): void => {
  for (const path of vanished) warn(`${path}: not there any more`)
  if (switched && worse.length > 0) warn(`Worse off than before: ${worse.join(', ')}`)
  if (!switched) {
    warn(`Collection "${collection}" stays with ${before}: ${worse.length} of its videos would be lost or incomplete:`)
    for (const path of worse) warn(`  ${path}`)
    warn('Bring them back or take them out (vidgrep prune, vidgrep remove) and run it again, or switch with --force.')
  } else if (!totals) print(`Nothing to do: collection "${collection}" has ${model} already.`)
  else if (!quiet) {
    print(`Collection "${collection}" now has ${model} in place of ${before}:`)
    print(
      `${totals.videos} videos, ${totals.frames} frames, ${totals.points} points in ${totals.seconds.toFixed(1)} s.`,
    )
  }
}
