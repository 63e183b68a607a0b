#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node
// glibc gives each thread a heap of its own and gives little of them back: left to itself an ingest grows by 300 MB with
// every 100,000 points, with two heaps by 120 (https://man7.org/linux/man-pages/man3/mallopt.3.html). Large blocks kept
// out of them as well would save a third of that, and cost each scan of 100,000 points 130 ms (docs/scale.md).
import { readFileSync } from 'node:fs'
import yargs, { type CommandModule } from 'yargs'
import { hideBin } from 'yargs/helpers'
import { UsageError } from '../errors.ts'
import { report } from './run.ts'
import { withSuggestion } from './suggest.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}
const words = hideBin(process.argv)

/** In the order of the help. */
const commands: Readonly<Record<string, () => Promise<unknown>>> = {
  index: async () => (await import('./commands/index.ts')).indexCommand,
  search: async () => (await import('./commands/search.ts')).searchCommand,
  videos: async () => (await import('./commands/videos.ts')).videosCommand,
  remove: async () => (await import('./commands/remove.ts')).removeCommand,
  prune: async () => (await import('./commands/prune.ts')).pruneCommand,
  frame: async () => (await import('./commands/frame.ts')).frameCommand,
  models: async () => (await import('./commands/models/models.ts')).modelsCommand,
  reindex: async () => (await import('./commands/reindex.ts')).reindexCommand,
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
}

/** The command that comes first, as a rule; all of them where help or a suggestion may be needed. */
const needed = async (): Promise<readonly CommandModule[]> => {
  const first = words[0] !== undefined && Object.hasOwn(commands, words[0]) ? commands[words[0]] : undefined
  const loads = first ? [first] : Object.values(commands)
  return (await Promise.all(loads.map((load) => load()))) as CommandModule[]
}

/** Options that may be given several times, and words without an option. */
const lists: ReadonlySet<string> = new Set(['_', 'path', 'paths', 'query', 'exclude'])

/** A number that is none becomes NaN, an option given twice becomes a list: neither is what anybody asked for. */
const expectSense = (args: Readonly<Record<string, unknown>>): true => {
  for (const [name, value] of Object.entries(args)) {
    const option = name.length > 1 ? `--${name}` : `-${name}`
    const remedy = 'See: vidgrep --help'
    if (Number.isNaN(value)) throw new UsageError(`Expected a number for ${option}`, { remedy })
    if (Array.isArray(value) && !lists.has(name)) throw new UsageError(`Expected ${option} only once`, { remedy })
  }
  return true
}

const parser = yargs(words)
  .scriptName('vidgrep')
  .usage('$0 <command>\n\nType what you want to see, get the video and the second where it happens.')
  .command((await needed()) as CommandModule[])
  .demandCommand(1, 'Say what to do: vidgrep index FOLDER, then vidgrep search "a red car".')
  .example('$0 index ~/footage', 'once, and again when files were added')
  .example('$0 search "a red car"', 'as often as you like')
  .recommendCommands()
  .strict()
  .check(expectSense)
  .version(version)
  .wrap(Math.min(110, process.stdout.columns ?? 80))
  .parserConfiguration({ 'duplicate-arguments-array': true, 'parse-positional-numbers': false })
  .fail((message, error) => {
    throw error ?? new UsageError(withSuggestion(message, knownOptions()), { remedy: 'See: vidgrep --help' })
  })

/** What the parser knows of the command at hand; its types keep quiet about it. */
const knownOptions = (): readonly string[] =>
  Object.keys((parser as unknown as { getOptions(): { key: object } }).getOptions().key)

try {
  await parser.parseAsync()
} catch (error) {
  process.exitCode = report(error, words.includes('--json'))
}
