export type ErrorDetails = {
  /** One line that the user can act on or run. */
  readonly remedy: string
  readonly cause?: unknown
  /** Lines that show where, such as a query with a caret under the word. */
  readonly excerpt?: readonly string[]
}

/** Every failure that a user can do something about. Anything else that is thrown is a bug and keeps its stack. */
export class VidgrepError extends Error {
  /** Stable, for programs: part of the JSON that the CLI prints. */
  readonly code: string
  readonly remedy: string
  readonly excerpt: readonly string[]

  constructor(code: string, message: string, { remedy, cause, excerpt = [] }: ErrorDetails) {
    super(message, { cause })
    this.name = new.target.name
    this.code = code
    this.remedy = remedy
    this.excerpt = excerpt
  }
}

/** The call itself is wrong: an unknown option, a value out of range. The CLI exits with 2. */
export class UsageError extends VidgrepError {
  constructor(message: string, details: ErrorDetails) {
    super('usage', message, details)
  }
}
