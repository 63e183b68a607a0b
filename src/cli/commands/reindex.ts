import { type Reindexed, reindex, type VideoResult } from '../../index.ts'
import { defineCommand, openOptions, precisionOption, runningOptions } from '../options.ts'
import { openProgress } from '../progress.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

export const reindexCommand = defineCommand({
  command: 'reindex',
  describe: 'Move a collection to another model, from the files of its videos',
  options: {
    ...runningOptions,
    model: {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'Name of the model that takes over, or a folder with a model.json',
    },
    precision: { ...precisionOption.precision, defaultDescription: 'full' },
    force: {
      type: 'boolean',
      default: false,
      describe: 'Switch even if videos of the old collection are gone or failed',
    },
  },
  builder: (yargs) =>
    yargs
      .epilogue('Searches use the old collection until the new one is complete. If interrupted, run the command again.')
      .example('$0 reindex --model clip-vit-b-32', 'from the starter model to CLIP'),
  run: async ({ model, force, jobs, quiet, json, ...args }, { signal }) => {
    const progress = openProgress({ quiet: quiet || json })
    const events = reindex({ ...openOptions(args), model, force, jobs, onNotice: warn, signal })
    const videos: VideoResult[] = []
    let next = await events.next()
    try {
      for (; !next.done; next = await events.next()) {
        progress.show(next.value)
        if (next.value.type === 'video') videos.push(next.value.result)
      }
    } finally {
      progress.end()
    }
    const reindexed = next.value
    if (json) printJson({ ...reindexed, totals: reindexed.totals ?? null, videos })
    else printReindexed(reindexed, quiet)
    return reindexed.worse.length > 0 || !reindexed.switched ? exitCodes.someFailed : exitCodes.done
  },
})

const printReindexed = (reindexed: Reindexed, quiet: boolean): void => {
  const { collection, before, model, switched, vanished, worse, totals } = reindexed
  for (const path of vanished) warn(`${path}: no longer there`)
  if (switched && worse.length > 0) warn(`Lost or incomplete now: ${worse.join(', ')}`)
  if (!switched) {
    warn(`Collection "${collection}" stays with ${before}: ${worse.length} of its videos would be lost or incomplete:`)
    for (const path of worse) warn(`  ${path}`)
    warn('Bring them back or take them out (vidgrep prune, vidgrep remove) and run it again, or switch with --force.')
  } else if (!totals) print(`Nothing to do: collection "${collection}" has ${model} already.`)
  else if (!quiet) {
    const { videos, frames, points, seconds } = totals
    print(`Collection "${collection}" now has ${model} in place of ${before}:`)
    print(
      `${videos} ${videos === 1 ? 'video' : 'videos'}, ${frames} frames, ${points} points in ${seconds.toFixed(1)} s.`,
    )
  }
}
