import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface, type Interface } from 'node:readline/promises'
import {
  folders,
  formatTimestamp,
  type Index,
  type Moment,
  type SearchOptions,
  type SearchResult,
  UsageError,
  VidgrepError,
} from '../index.ts'
import { momentsJson, printMoments } from './moments.ts'
import { play } from './player.ts'
import { type ExitCode, exitCodes, print, printError, printJsonLine, warn } from './run.ts'

export type PromptOptions = {
  readonly search: SearchOptions
  /** One JSON value a line that was read. */
  readonly json: boolean
  /** Asked before anything is read. */
  readonly first?: string
  readonly input?: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  /** Where lines are kept from one session to the next; of a terminal alone. */
  readonly historyFile?: string
  readonly signal?: AbortSignal
}

const help = [
  'Type what should be seen, by the same rules as vidgrep search: a red car, "a dog" + "a beach", "a beach" - "people".',
  '  3        open moment 3 of the last answer in a player: mpv, VLC or ffplay (to search for a number, quote it: "3")',
  '  :n 20    find so many moments from now on',
  '  :help    show this',
  '  :quit    end; so does Ctrl-D. Ctrl-C ends a search that is running.',
]

/**
 * Reads queries line by line and answers each, with the model kept loaded. In a terminal lines can be edited and are
 * remembered; from a file or a pipe each line is a query as well.
 *
 * @returns `someFailed` if a line of a file or a pipe could not be answered
 */
export const runPrompt = async (index: Index, options: PromptOptions): Promise<ExitCode> => {
  const { input = process.stdin, historyFile = join(folders().data, 'history'), json, signal } = options
  // A collection that does not exist yet is one error, not one for each line.
  if (!index.store) await index.videos()
  const isTerminal = input.isTTY === true
  const lines = createInterface({
    input,
    // What is printed goes to standard output alone: it may be a file.
    output: isTerminal ? process.stderr : undefined,
    terminal: isTerminal,
    prompt: 'vidgrep> ',
    history: isTerminal ? await readHistory(historyFile) : [],
    historySize: mostHistory,
    removeHistoryDuplicates: true,
  })
  // What arrives while the first query is answered must not be lost.
  const typing = lines[Symbol.asyncIterator]()
  const close = (): void => lines.close()
  signal?.addEventListener('abort', close, { once: true })
  const session = openSession(index, lines, options)
  let failed = 0
  try {
    if (options.first) failed += (await session.answer(options.first)) ? 0 : 1
    else if (isTerminal && !json) warn('Type what should be seen. :help says more, Ctrl-D ends.')
    if (isTerminal) lines.prompt()
    for await (const typed of { [Symbol.asyncIterator]: () => typing }) {
      const line = typed.trim()
      if (line === ':quit' || line === ':q') break
      if (line !== '') failed += (await session.answer(line)) ? 0 : 1
      if (line !== '' && isTerminal) await keepHistory(historyFile, line)
      if (isTerminal) lines.prompt()
    }
  } finally {
    signal?.removeEventListener('abort', close)
    lines.close()
  }
  signal?.throwIfAborted()
  if (isTerminal) warn('')
  return failed > 0 && !isTerminal ? exitCodes.someFailed : exitCodes.done
}

/** What is remembered from line to line. */
const openSession = (index: Index, lines: Interface, { search, json, signal }: PromptOptions) => {
  let moments: readonly Moment[] = []
  let { n } = search
  let running: AbortController | undefined

  lines.on('SIGINT', () => {
    if (running) return running.abort()
    warn('')
    // To the end of the line, then all of it away.
    lines.write(null, { ctrl: true, name: 'e' })
    lines.write(null, { ctrl: true, name: 'u' })
  })

  const find = async (query: string): Promise<void> => {
    running = new AbortController()
    const stop = AbortSignal.any([running.signal, ...(signal ? [signal] : [])])
    try {
      const found: SearchResult = await index.search(query, { ...search, n, signal: stop })
      moments = found.moments
      if (json) printJsonLine(momentsJson(found))
      else printMoments(found)
    } catch (error) {
      if (!running.signal.aborted) throw error
      warn('Stopped.')
    } finally {
      running = undefined
    }
  }
  const open = async (rank: number): Promise<void> => {
    const moment = moments[rank - 1]
    if (!moment) {
      throw new UsageError(`Expected a moment of the last answer (${moments.length}), got ${rank}`, {
        remedy: 'To search for a number, quote it',
      })
    }
    const { path, t } = moment
    const { command, started } = await play(path, t)
    if (json) printJsonLine({ path, t, command, started })
    else if (started) warn(`${formatTimestamp(t)}  ${path}`)
    else warn(`Found no player (mpv, VLC, ffplay). With mpv it is: ${command.map(quoted).join(' ')}`)
  }
  const obey = (command: string, word: string | undefined): void => {
    if (command === ':n' && /^[1-9]\d{0,3}$/.test(word ?? '')) {
      n = Number(word)
      if (json) printJsonLine({ n })
    } else if (command === ':help' && json) printJsonLine({ help })
    else if (command === ':help') for (const line of help) print(line)
    else {
      throw new UsageError(`Expected :help, :n NUMBER or :quit, got ${[command, word ?? ''].join(' ').trim()}`, {
        remedy: 'See :help',
      })
    }
  }
  return {
    /** @returns whether it could be answered */
    answer: async (line: string): Promise<boolean> => {
      try {
        const [word = '', ...more] = line.split(/\s+/)
        if (word.startsWith(':')) obey(word, more[0])
        else if (/^\d+$/.test(line)) await open(Number(line))
        else await find(line)
        return true
      } catch (error) {
        if (!(error instanceof VidgrepError)) throw error
        const { code, message, remedy } = error
        if (json) printJsonLine({ query: line, error: { code, message, remedy } })
        else printError(false, error)
        return false
      }
    },
  }
}

/** As a shell takes it. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

const mostHistory = 1000

/** Newest first. */
const readHistory = async (file: string): Promise<string[]> => {
  const text = await readFile(file, 'utf8').catch(() => '')
  const all = text.split('\n').filter((line) => line !== '')
  // A folder that cannot be written to is no reason not to search.
  if (all.length > 2 * mostHistory) {
    await writeFile(file, `${all.slice(-mostHistory).join('\n')}\n`, { mode: 0o600 }).catch(() => {})
  }
  return all.slice(-mostHistory).reverse()
}

const keepHistory = async (file: string, line: string): Promise<void> => {
  try {
    await mkdir(dirname(file), { recursive: true })
    await appendFile(file, `${line}\n`, { mode: 0o600 })
  } catch {
    // As above.
  }
}
