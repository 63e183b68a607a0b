import { readdir } from 'node:fs/promises'
import nodePath, { isAbsolute, join, type PlatformPath, parse, posix, resolve, sep } from 'node:path'
import picomatch from 'picomatch'
import { UsageError } from '../errors.ts'

/**
 * The videos that lie at a path which at least one glob names, each with the first such path.
 *
 * - A glob with no root matches from the current folder, and also any end of a path: `*.mp4` finds the name in every
 *   folder, `holiday/**` in every folder called `holiday`, and `**\/2023/*.mov` says so aloud.
 * - `./…`, `../…` and absolute globs match in that one place only.
 * - A file's or folder's name without wildcards is enough: a folder means everything under it.
 * - What lies on the disk may have `*`, `[` or `(` in its name: the plain reading is tried before the wildcards.
 * - Hidden files match like all others. Upper and lower case differ, except on Windows.
 * - Accents may be written either way: as one character with their letter (NFC) or as one of their own (NFD).
 *
 * @param cwd absolute folder that relative globs start from
 * @returns absolute paths by video, in the records' order; every video that lies somewhere when there is no glob
 * @throws UsageError if a glob is empty
 */
export const matchPaths = (
  records: readonly Placed[],
  globs: readonly string[],
  cwd: string = process.cwd(),
): ReadonlyMap<string, string> => {
  const matchers = globs.map((glob) => pathMatcher(glob, cwd))
  const found = new Map<string, string>()
  for (const { video, files } of records) {
    const file = files.find(({ path }) => matchers.length === 0 || matchers.some((matches) => matches(path)))
    if (file) found.set(video, file.path)
  }
  return found
}

type Placed = { readonly video: string; readonly files: readonly { readonly path: string }[] }

type Matcher = (path: string) => boolean

const pathMatcher = (given: string, cwd: string): Matcher => {
  if (given.trim() === '') {
    throw new UsageError('Expected a path or a glob, got an empty one', {
      remedy: "Use --path '*.mp4', or leave --path out",
    })
  }
  const { folder, glob } = anchor(comparable(given), cwd)
  const matches = folder === undefined ? endMatcher(glob) : startMatcher(glob)
  return (path) => {
    const slashed = comparable(path)
    if (folder === undefined) return matches(slashed)
    return slashed.startsWith(`${folder}/`) && matches(slashed.slice(folder.length + 1))
  }
}

/** Splits a glob that names its place into that place, taken as it is, and the pattern below it. */
const anchor = (given: string, cwd: string): { folder: string | undefined; glob: string } => {
  const trimmed = given.replace(/\/+$/, '')
  if (isAbsolute(given)) return { folder: '', glob: posix.normalize(trimmed).replace(/^\/+|^\.$/, '') }
  const up = /^(?:\.\.?(?:\/+|$))+/.exec(trimmed)?.[0]
  if (up === undefined) return { folder: undefined, glob: trimmed }
  return { folder: comparable(resolve(cwd, up)).replace(/\/$/, ''), glob: trimmed.slice(up.length) }
}

/** Matches a path below the anchored folder: the glob itself, or anything under a folder that it names. */
const startMatcher = (glob: string): Matcher => {
  if (glob === '') return () => true
  const wildcard = picomatch([glob, `${glob}/**`], options)
  return (path) => `${path}/`.startsWith(`${glob}/`) || wildcard(path)
}

/** Matches wherever the path's last segments, or those of a folder that it lies in, fit the glob. */
const endMatcher = (glob: string): Matcher => {
  const wildcard = picomatch([`**/${glob}`, `**/${glob}/**`], options)
  return (path) => `${path}/`.includes(`/${glob}/`) || wildcard(path)
}

/** `s`: a newline in a name is a character like any other. `nonegate`: so is a leading exclamation mark. */
const options = { dot: true, nonegate: true, flags: 's', nocase: sep === '\\', windows: false }

/** Accents composed (NFC). On Windows `C:\\a` becomes `/C:/a`, so that one root holds everything there too. */
const comparable = (path: string): string => {
  const composed = path.normalize('NFC')
  return sep === '\\' ? composed.replaceAll('\\', '/').replace(/^(?=[a-z]:)/i, '/') : composed
}

/**
 * Finds the outermost of the roots that a path is or lies in, at any depth. Every folder above the path is looked up once,
 * so that it takes no longer with 50,000 roots than with one. Accents may be written either way (NFC or NFD).
 *
 * @param roots absolute, as the paths
 * @param system whose rules hold; `node:path`'s `win32` knows drives and does not mind upper and lower case
 */
export const rootFinder = (
  roots: Iterable<string>,
  system: PlatformPath = nodePath,
): ((path: string) => string | undefined) => {
  const keyOf = (path: string): string => {
    const key = system.resolve(path.normalize('NFC'))
    return system.sep === '\\' ? key.toLowerCase() : key
  }
  const known = new Map([...roots].map((root) => [keyOf(root), root]))
  return (path) => {
    let found: string | undefined
    let at = keyOf(path)
    for (;;) {
      found = known.get(at) ?? found
      const above = system.dirname(at)
      if (above === at) return found
      at = above
    }
  }
}

/**
 * The path as it is written on the disk. A name that was typed with an accent written one way finds the file whose name
 * has it the other way, and is known by the name that the file has.
 *
 * @returns absolute, but for a path without accents, which comes back as it is
 */
export const asOnDisk = async (given: string): Promise<string> => {
  if (isAscii(given)) return given
  const path = resolve(given)
  const { root } = parse(path)
  let found = root
  for (const name of path.slice(root.length).split(sep)) {
    const names = isAscii(name) ? [] : await readdir(found).catch(() => [])
    const same = names.includes(name) ? name : names.find((each) => each.normalize('NFC') === name.normalize('NFC'))
    found = join(found, same ?? name)
  }
  return found
}

const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text)
