import { closest, distance } from 'fastest-levenshtein'
import yargs from 'yargs'
import { hideBin, Parser } from 'yargs/helpers'
import { UsageError } from '../index.ts'
import { version } from '../version.ts'
import type { Command } from './options.ts'
import { type Context, type ExitCode, exitCodes, run } from './run.ts'

/** In the order of the help. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  index: async () => (await import('./commands/index.ts')).indexCommand,
  watch: async () => (await import('./commands/watch.ts')).watchCommand,
  search: async () => (await import('./commands/search.ts')).searchCommand,
  explain: async () => (await import('./commands/explain.ts')).explainCommand,
  copies: async () => (await import('./commands/copies.ts')).copiesCommand,
  scenes: async () => (await import('./commands/scenes.ts')).scenesCommand,
  map: async () => (await import('./commands/map.ts')).mapCommand,
  similar: async () => (await import('./commands/similar.ts')).similarCommand,
  videos: async () => (await import('./commands/videos.ts')).videosCommand,
  remove: async () => (await import('./commands/remove.ts')).removeCommand,
  prune: async () => (await import('./commands/prune.ts')).pruneCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  mcp: async () => (await import('./commands/mcp.ts')).mcpCommand,
  frame: async () => (await import('./commands/frame.ts')).frameCommand,
  clip: async () => (await import('./commands/clip.ts')).clipCommand,
  models: async () => (await import('./commands/models.ts')).modelsCommand,
  reindex: async () => (await import('./commands/reindex.ts')).reindexCommand,
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
}

const remedy = 'See: vidgrep --help'

const program = async (words: readonly string[], context: Context): Promise<ExitCode> => {
  const loaded = await Promise.all(needed(words[0]).map((load) => load()))
  let exitCode: ExitCode = exitCodes.done
  const parser = yargs([...words], currentFolder())
    .scriptName('vidgrep')
    .usage('$0 <command>\n\nType what you want to see, get the video and the second where it happens.')
    .demandCommand(1, 'Say what to do: vidgrep index FOLDER, then vidgrep search "a red car".')
    .example('$0 index ~/footage', 'once, and again after adding files')
    .example('$0 search "a red car"', 'as often as you like')
    .recommendCommands()
    .strict()
    .middleware(unprotect, true)
    .check(expectSense)
    .version(version)
    .wrap(Math.min(110, process.stdout.columns ?? 80))
    .parserConfiguration({ 'duplicate-arguments-array': true, 'parse-positional-numbers': false })
    .exitProcess(false)
    .fail((message, error) => {
      // The parser's own errors have this name; any other comes from a command.
      throw error && error.name !== 'YError' ? error : new UsageError(explained(message, words, loaded), { remedy })
    })
  for (const command of loaded) {
    command.add(parser, context, (code) => {
      exitCode = code
    })
  }
  await parser.parseAsync()
  return exitCode
}

/** The command that comes first, as a rule; all of them where help or a suggestion may be needed. */
const needed = (first = '') => {
  const command = Object.hasOwn(commands, first) ? commands[first] : undefined
  return command ? [command] : Object.values(commands)
}

/** yargs asks for it at once; where it was deleted, help is to be had all the same. */
const currentFolder = (): string => {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}

/** Options that may be given several times, and words without an option. */
const lists: ReadonlySet<string> = new Set([
  '_',
  'path',
  'paths',
  'query',
  'exclude',
  'name',
  'image',
  'like',
  'unlike',
  'allow',
  'watch',
])

const positionals: ReadonlySet<string> = new Set(['paths', 'place', 'video', 'time', 'from', 'to', 'name', 'folder'])

/** What nobody asks for: a number that is none (NaN), an option given twice (a list), a value without a letter. */
const expectSense = (args: Readonly<Record<string, unknown>>): true => {
  for (const [name, value] of Object.entries(args)) {
    const option = name.length > 1 ? `--${name}` : `-${name}`
    if (name !== 'query' && [value].flat().some((each) => typeof each === 'string' && each.trim() === '')) {
      throw new UsageError(`Expected a value for ${positionals.has(name) ? name : option}, got a blank one`, { remedy })
    }
    if (Number.isNaN(value)) throw new UsageError(`Expected a number for ${option}`, { remedy })
    if (Array.isArray(value) && !lists.has(name)) throw new UsageError(`Expected ${option} only once`, { remedy })
  }
  return true
}

/**
 * Words after `--` are no options, but yargs parses those of a command once more and takes them for such. A character
 * that no argument can hold keeps their dash from it.
 */
const protect = (words: readonly string[]): readonly string[] => {
  const end = words.indexOf('--')
  if (end < 0) return words
  return [...words.slice(0, end), ...words.slice(end + 1).map((word) => (word.startsWith('-') ? `\0${word}` : word))]
}

const unprotect = (args: Record<string, unknown>): void => {
  const bare = (value: unknown) => (typeof value === 'string' && value.startsWith('\0') ? value.slice(1) : value)
  for (const [name, value] of Object.entries(args)) args[name] = Array.isArray(value) ? value.map(bare) : bare(value)
}

/** Letters by which a misspelt option may differ from the one that was meant. */
const mostSlips = 3

/** Says of what the parser does not know whether it is an option or a word, and which option was probably meant. */
const explained = (message: string, words: readonly string[], loaded: readonly Command[]): string => {
  const unknown = /^Unknown arguments?: (.+)$/s.exec(message)?.[1]?.split(', ')
  if (message.startsWith('Did you mean'))
    return `Unknown command: ${words.find((word) => !word.startsWith('-'))}. ${message}`
  if (!unknown) return tooFew(message) ?? message.replaceAll('\n', ' ')
  const given = new Set(words.map((word) => /^--?(?:no-)?([^=]+)/.exec(word)?.[1]))
  const names = [...loaded.flatMap(({ optionNames }) => optionNames), 'help', 'version'].filter(
    ({ length }) => length > 1,
  )
  const options = unknown
    .filter((name) => given.has(name))
    .map((name) => {
      const nearest = closest(name, names)
      const isNear = distance(name, nearest) <= Math.min(mostSlips, name.length / 2)
      return `Unknown option: --${name}${isNear ? `. Did you mean --${nearest}?` : ''}`
    })
  return options.length > 0 ? options.join('; ') : `Expected no more words, got: ${unknown.join(', ')}`
}

const tooFew = (message: string): string | undefined => {
  const [, got, least] = /^Not enough non-option arguments: got (\d+), need at least (\d+)$/.exec(message) ?? []
  return least && `Expected at least ${least} ${least === '1' ? 'word' : 'words'} after the command, got ${got}`
}

/** Known before anything is parsed, so that an error of the parser is JSON too where JSON was asked for. */
const wantsJson = (words: readonly string[]): boolean => {
  const { json } = Parser([...words], { boolean: ['json'] })
  return [json].flat().at(-1) === true
}

/** Does what the words after `vidgrep` say, and sets the exit code. */
export const runProgram = async (argv: readonly string[]): Promise<void> => {
  const words = protect(hideBin([...argv]))
  await run(wantsJson(words), (context) => program(words, context))
}
