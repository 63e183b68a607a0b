import type { WatchEvent } from '../../index.ts'
import { defineCommand, runningOptions, withIndex } from '../options.ts'
import { exitCodes, print, printJsonLine, warn } from '../run.ts'
import { ingestOptions, ingestSettings } from './index.ts'

export const watchCommand = defineCommand({
  command: 'watch <paths..>',
  describe: 'Keep a collection up to date with folders until Ctrl-C',
  options: {
    settle: {
      type: 'number',
      requiresArg: true,
      describe: 'Seconds for which a file must have stayed the same before it is indexed',
      defaultDescription: '5',
    },
    poll: {
      type: 'number',
      requiresArg: true,
      describe: 'Look every so many seconds, for network disks that do not tell of changes',
      defaultDescription: 'changes are heard of; and every 60',
    },
    ...ingestOptions,
    ...runningOptions,
  },
  builder: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'Files and folders' })
      .example('$0 watch ~/footage', 'index what is new, has changed or was moved; forget what is gone')
      .example('$0 watch /mnt/nas/footage --poll 300', 'on a network disk'),
  run: async ({ paths, settle, poll, ...args }, { signal }) => {
    const options = { ...ingestSettings(args), settleSeconds: settle, pollSeconds: poll, signal }
    const show = args.json ? showJson : showLine(args.quiet)
    await withIndex(args, async (index) => {
      for await (const event of index.watch(paths, options)) show(event)
    })
    return exitCodes.done
  },
})

const showJson = (event: WatchEvent): void => {
  if (event.type === 'video') printJsonLine({ type: event.type, ...event.result })
  else if (event.type === 'skipped' && event.kind === 'unreadable') {
    printJsonLine({ type: 'unreadable', path: event.path, reason: event.reason })
  } else if (event.type === 'trouble') printJsonLine({ type: event.type, reason: event.reason })
  else if (event.type === 'forgotten' || event.type === 'watching') printJsonLine(event)
}

const showLine =
  (quiet: boolean) =>
  (event: WatchEvent): void => {
    if (event.type === 'trouble') warn(event.reason)
    else if (event.type === 'skipped' && event.kind === 'unreadable') warn(`${event.path}: ${event.reason}`)
    else if (event.type === 'video') {
      const { path, status, reason, frames } = event.result
      if (status !== 'complete') warn(`${path}: ${status}: ${reason}`)
      else if (!quiet) print(`${path}: ${frames} frames`)
    } else if (quiet) return
    else if (event.type === 'forgotten') print(`${event.path}: forgotten`)
    else if (event.type === 'watching') {
      const { waiting } = event
      const files = waiting === 1 ? '1 file that is' : `${waiting} files that are`
      warn(waiting > 0 ? `Waiting for ${files} being written.` : 'Up to date. Ctrl-C ends it.')
    }
  }
