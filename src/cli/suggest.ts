import { closest, distance } from 'fastest-levenshtein'

/** Names that differ in more characters are no slip of the finger. */
const mostSlips = 3

/** Adds the option that was probably meant to the parser's complaint about one that does not exist. */
export const withSuggestion = (message: string, known: readonly string[]): string => {
  const unknown = /^Unknown arguments?: (.+)$/.exec(message)?.[1]?.split(', ')
  if (!unknown) return message
  const names = known.filter((name) => name.length > 1)
  return unknown
    .map((name) => {
      const nearest = closest(name, names)
      const isNear = names.length > 0 && distance(name, nearest) <= Math.max(mostSlips, name.length - 1)
      return `Unknown option: ${name}${isNear ? `. Did you mean --${nearest}?` : ''}`
    })
    .join('\n')
}
