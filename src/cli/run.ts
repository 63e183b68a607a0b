import { ModelMismatchError, VidgrepError } from '../index.ts'

/** What the shell gets to see. */
export const exitCodes = { done: 0, error: 1, usage: 2, someFailed: 3, interrupted: 130 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export type Context = { readonly signal: AbortSignal }

/** How long a command may take to end after Ctrl-C before it is ended: what it could keep, it has kept by then. */
const graceMs = 1800

/**
 * Runs the program from start to exit: Ctrl-C becomes an abort signal, an error becomes a message and an exit code.
 * Nothing else in the program sets the exit code.
 */
export const run = async (json: boolean, program: (context: Context) => Promise<ExitCode>): Promise<void> => {
  const interrupt = new AbortController()
  const exitInterrupted = (): never => {
    printError(json, {
      code: 'interrupted',
      message: 'Interrupted. What is done is kept.',
      remedy: 'Run the same command again to go on',
    })
    process.exit(exitCodes.interrupted)
  }
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted)
    interrupt.abort()
    setTimeout(exitInterrupted, graceMs).unref()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `vidgrep search … | head` closes the pipe: nobody reads on.
    if (error.code === 'EPIPE') process.exit(exitCodes.done)
    const reason = systemFault(error)?.message ?? error.message
    printError(json, {
      code: 'output',
      message: `Cannot write the results to standard output: ${reason}`,
      remedy: 'Send them somewhere else',
    })
    process.exit(exitCodes.error)
  })
  // Whoever stops listening to the progress does not stop the work.
  process.stderr.on('error', () => {})
  try {
    process.exitCode = await program({ signal: interrupt.signal })
  } catch (error) {
    if (interrupt.signal.aborted) exitInterrupted()
    process.exitCode = report(error, json)
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

/** Says what went wrong on stderr. A bug keeps its stack, a user's error gets its remedy. */
const report = (error: unknown, json: boolean): ExitCode => {
  if (error instanceof VidgrepError) {
    printError(json, error)
    return error.code === 'usage' || error instanceof ModelMismatchError ? exitCodes.usage : exitCodes.error
  }
  const fault = error instanceof Error ? systemFault(error) : undefined
  if (fault) {
    printError(json, fault)
    return exitCodes.error
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (json) printError(json, { code: 'internal', message: text, remedy: 'This is a bug in vidgrep: please report it' })
  else for (const line of ['This is a bug in vidgrep, please report it:', ...text.split('\n')]) warn(line)
  return exitCodes.error
}

/** Faults of the machine that may come up anywhere and are nobody's bug. */
const systemFault = (error: NodeJS.ErrnoException): PrintedError | undefined => {
  const at = error.path === undefined ? '' : `: ${error.path}`
  const fault = (message: string, remedy: string) => ({ code: 'system', message, remedy })
  if (error.syscall === 'uv_cwd') return fault('The current folder no longer exists', 'Change to one that does: cd')
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return fault(`No space left on the disk${at}`, 'Make room, then run the command again')
    case 'EROFS':
      return fault(`The file system is read-only${at}`, 'Choose a folder that can be written to')
    case 'EIO':
      return fault(`The disk reports an input/output error${at}`, 'Check the disk')
    case 'EMFILE':
    case 'ENFILE':
      return fault(`Too many files are open${at}`, 'Raise the limit: ulimit -n 4096')
    default:
      return undefined
  }
}

type PrintedError = Pick<VidgrepError, 'code' | 'message' | 'remedy'> & Partial<Pick<VidgrepError, 'excerpt'>>

/** Says on stderr what went wrong and what to do. */
export const printError = (json: boolean, { code, message, remedy, excerpt = [] }: PrintedError): void => {
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message, remedy } })}\n`)
  else for (const line of [message, ...excerpt, remedy]) warn(line)
}

/** A line of the results, on stdout. */
export const print = (line = ''): void => {
  process.stdout.write(`${visible(line)}\n`)
}

/** Results for programs: names stay exactly as they are. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** The same in one line, where results come one by one. */
export const printJsonLine = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** A line of everything that is not a result, on stderr. */
export const warn = (line: string): void => {
  process.stderr.write(`${visible(line)}\n`)
}

/**
 * Text for people in which nothing drives the terminal, ends the line or turns its direction, whatever a file is called:
 * such characters are shown as `\x1b`, `\n` or `\u202e`.
 */
export const visible = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
    const code = character.codePointAt(0)!
    const named = { 9: '\\t', 10: '\\n', 13: '\\r' }[code]
    return (
      named ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`)
    )
  })
