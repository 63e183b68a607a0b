import { VidgrepError } from '../errors.ts'
import { ModelMismatchError } from '../store/store.ts'

/** What the shell gets to see. */
export const exitCodes = { done: 0, error: 1, usage: 2, someFailed: 3, interrupted: 130 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** How long a command may take to end after Ctrl-C before it is ended: what it could keep, it has kept by then. */
const graceMs = 1800

const interrupted = 'Interrupted. What is done is kept; run the same command to go on.'

export type Context = { readonly signal: AbortSignal }

/**
 * Runs a command from start to exit: Ctrl-C becomes an abort signal, an error becomes a message and an exit code.
 * Nothing else in the program sets the exit code.
 */
export const run = async (json: boolean, command: (context: Context) => Promise<ExitCode>): Promise<void> => {
  const interrupt = new AbortController()
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted)
    interrupt.abort()
    setTimeout(() => {
      warn(interrupted)
      process.exit(exitCodes.interrupted)
    }, graceMs).unref()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  // `vidgrep search … | head` closes the pipe: there is nobody left to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.done)
    throw error
  })
  // Whoever stops listening to the progress does not stop the work.
  process.stderr.on('error', () => {})
  try {
    process.exitCode = await command({ signal: interrupt.signal })
  } catch (error) {
    if (interrupt.signal.aborted) {
      warn(interrupted)
      process.exit(exitCodes.interrupted)
    }
    process.exitCode = report(error, json)
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

/** Says what went wrong on stderr. A bug keeps its stack, a user's error gets its remedy. */
export const report = (error: unknown, json: boolean): ExitCode => {
  if (!(error instanceof VidgrepError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    if (json) printError('internal', text, 'This is a bug in vidgrep: please report it with this text')
    else warn(`This is a bug in vidgrep, please report it:\n${text}`)
    return exitCodes.error
  }
  if (json) printError(error.code, error.message, error.remedy)
  else warn(`${error.message}\n${error.remedy}`)
  return error.code === 'usage' || error instanceof ModelMismatchError ? exitCodes.usage : exitCodes.error
}

const printError = (code: string, message: string, remedy: string): void =>
  warn(JSON.stringify({ error: { code, message, remedy } }))

/** Results go to stdout. */
export const print = (line = ''): void => {
  process.stdout.write(`${line}\n`)
}

export const printJson = (value: unknown): void => print(JSON.stringify(value, null, 2))

/** Everything that is not the result goes to stderr. */
export const warn = (line: string): void => {
  process.stderr.write(`${line}\n`)
}
