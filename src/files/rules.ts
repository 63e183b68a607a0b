import { readFile } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { UsageError } from '../errors.ts'

/** A file of this name in a folder says what to leave out of it, by the rules of a .gitignore. */
export const rulesFile = '.vidgrepignore'

/**
 * Folders in which systems, network disks and sync programs keep what was deleted, earlier versions and previews. Those
 * with a dot in front (`.Trashes`, `.stversions`, `.AppleDouble` …) are hidden already.
 */
const systemFolders = [
  ...['$RECYCLE.BIN', 'RECYCLER', 'RECYCLED', 'System Volume Information', 'found.[0-9][0-9][0-9]', 'lost+found'],
  ...['@eaDir', '@tmp', '#recycle', '#snapshot', '@Recycle', '@Recently-Snapshot', '@Transcode', '~snapshot'],
  ...['@GMT-*', 'Network Trash Folder', 'Network Recycle Bin*', 'Temporary Items'],
]

const hidden = ignore().add('.*')
const system = ignore({ ignorecase: true }).add(systemFolders.map((name) => `${escaped(name)}/`))

/** A leading `#` would make a comment of it. */
function escaped(pattern: string): string {
  return pattern.replace(/^#/, '\\#')
}

/**
 * What is left out of a folder: the rules given by the caller, those of the rules files in it and above it up to the
 * folder that was named, and last what is hidden or a system's own. The first of them that says anything of a file
 * decides, so that `!.cache/` takes in a hidden folder.
 */
export type Rules = {
  /** @returns why a file or folder is left out, `undefined` if it is not */
  readonly excludes: (path: string, isFolder: boolean) => string | undefined
  /** The rules within a folder that has a rules file. @throws the system's error if that cannot be read */
  readonly within: (folder: string) => Promise<Rules>
}

/**
 * @param root the folder that was named, absolute; what is given is relative to it
 * @param given patterns as in a .gitignore
 */
export const rulesFor = (root: string, given: readonly string[]): Rules =>
  rulesOf(given.length === 0 ? [] : [{ folder: root, rules: parse(given.map(escaped)), source: '--exclude' }], [])

/** Whether a file or folder that was named itself is left out: only its name counts. */
export const excludesName = (path: string, isFolder: boolean, given: readonly string[]): boolean =>
  basename(path) !== '' && parse(given.map(escaped)).ignores(nameOf(path, isFolder))

/** @throws UsageError if one of the patterns is blank */
export const checkPatterns = (patterns: readonly string[]): void => {
  if (patterns.every((pattern) => pattern.trim() !== '')) return
  throw new UsageError('Expected a pattern of files to leave out, got a blank one', {
    remedy: "Use --exclude '*.tmp.mp4', or leave --exclude out",
  })
}

type Layer = { readonly folder: string; readonly rules: Ignore; readonly source: string }

/** @param nested of the rules files, the innermost first */
const rulesOf = (given: readonly Layer[], nested: readonly Layer[]): Rules => ({
  excludes: (path, isFolder) => {
    for (const layer of [...given, ...nested]) {
      const { ignored, unignored, rule } = verdict(layer, path, isFolder)
      if (ignored) return `${layer.source} has "${rule?.pattern}"`
      if (unignored) return undefined
    }
    const name = nameOf(path, isFolder)
    return hidden.ignores(name) ? 'hidden' : system.ignores(name) ? "a system's own folder" : undefined
  },
  within: async (folder) => {
    const source = join(folder, rulesFile)
    // Editors of some systems put a byte order mark in front, which is no part of the first pattern.
    const rules = parse((await readFile(source, 'utf8')).replace(/^\uFEFF/, '').split(/\r?\n/))
    return rulesOf(given, [{ folder, rules, source }, ...nested])
  },
})

const verdict = ({ folder, rules }: Layer, path: string, isFolder: boolean): ReturnType<Ignore['test']> => {
  const way = relative(folder, path).split(sep).join('/').normalize('NFC')
  const above = way.slice(0, way.lastIndexOf('/') + 1)
  // The folder above was taken in all the same, by rules that come first: this one's say on it is spent.
  if (above !== '' && rules.ignores(above)) return { ignored: false, unignored: false }
  return rules.test(isFolder ? `${way}/` : way)
}

const nameOf = (path: string, isFolder: boolean): string => `${basename(path).normalize('NFC')}${isFolder ? '/' : ''}`

/** Upper and lower case differ where the system's own files do. */
const parse = (patterns: readonly string[]): Ignore =>
  ignore({ ignorecase: process.platform === 'win32' || process.platform === 'darwin' }).add(
    patterns.map((pattern) => pattern.normalize('NFC')),
  )
