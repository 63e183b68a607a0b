#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import yargs, { type CommandModule } from 'yargs'
import { hideBin } from 'yargs/helpers'
import { UsageError } from '../errors.ts'
import { doctorCommand } from './doctor.ts'
import { frameCommand } from './frame.ts'
import { indexCommand } from './index.ts'
import { migrateCommand } from './migrate.ts'
import { modelsCommand } from './models.ts'
import { pruneCommand } from './prune.ts'
import { removeCommand } from './remove.ts'
import { report } from './run.ts'
import { searchCommand } from './search.ts'
import { withSuggestion } from './suggest.ts'
import { videosCommand } from './videos.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}
const words = hideBin(process.argv)

const commands = [
  indexCommand,
  searchCommand,
  videosCommand,
  removeCommand,
  pruneCommand,
  frameCommand,
  modelsCommand,
  migrateCommand,
  doctorCommand,
]

await yargs(words)
  .scriptName('vidgrep')
  .usage('$0 <command>\n\nType what you want to see, get the video and the second where it happens.')
  .command(commands as unknown as CommandModule[])
  .demandCommand(1, 'Say what to do: vidgrep index FOLDER, then vidgrep search "a red car".')
  .example('$0 index ~/footage', 'once, and again when files were added')
  .example('$0 search "a red car"', 'as often as you like')
  .recommendCommands()
  .strict()
  .version(version)
  .wrap(Math.min(110, process.stdout.columns ?? 80))
  .parserConfiguration({ 'duplicate-arguments-array': true, 'parse-positional-numbers': false })
  .fail((message, error, instance) => {
    // An error of a command itself has been told already; what arrives here is wrong usage or a bug.
    const problem =
      error ?? new UsageError(withSuggestion(message, knownOptions(instance)), { remedy: 'See: vidgrep --help' })
    process.exitCode = report(problem, words.includes('--json'))
  })
  .parseAsync()

/** yargs does not type what it knows of the command at hand. */
function knownOptions(instance: unknown): Readonly<Record<string, unknown>> {
  return (instance as { getOptions(): { key: Record<string, unknown> } }).getOptions().key
}
