import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { extname, join, resolve } from 'node:path'
import { UsageError } from '../errors.ts'
import { rootFinder } from './paths.ts'
import { isSystemError } from './regular.ts'
import { checkPatterns, excludesName, type Rules, rulesFile, rulesFor } from './rules.ts'
import { isOtherKindOfTs } from './transportStream.ts'

/** Endings, in lower case, of the files within a folder that are taken for videos. A file named by itself is always tried. */
export const videoExtensions: ReadonlySet<string> = new Set([
  ...['.mp4', '.m4v', '.mov', '.qt', '.mkv', '.webm', '.avi', '.divx', '.wmv', '.asf', '.flv', '.f4v', '.ogv', '.ogm'],
  ...['.mpg', '.mpeg', '.mpe', '.m1v', '.m2v', '.mpv', '.vob', '.ts', '.m2ts', '.mts', '.m2t', '.tod', '.mod', '.trp'],
  ...['.3gp', '.3g2', '.rm', '.rmvb', '.mxf', '.gxf', '.dv', '.dif', '.wtv', '.nut', '.nsv', '.y4m', '.mjpg', '.mjpeg'],
  ...['.h264', '.264', '.avc', '.h265', '.265', '.hevc', '.ivf', '.obu', '.av1', '.insv', '.lrv', '.360', '.dav'],
])

/** Why a file or folder is passed over: `unreadable` means that videos may be missing. */
export type SkipKind = 'not a video' | 'excluded' | 'unreadable'

export type SkippedFile = { readonly path: string; readonly kind: SkipKind; readonly reason: string }

/** A video to be tried, or something that is passed over. Paths are absolute. */
export type FoundFile = { readonly path: string } | SkippedFile

export type WalkOptions = {
  /** What to leave out: patterns as in a .gitignore, relative to each folder that is named. */
  readonly exclude?: readonly string[]
  readonly signal?: AbortSignal
}

/**
 * Walks files and folders: folders with all that lies below, in the order of their names. Links are followed where they
 * are named, not within a folder. What is hidden, a system's own or excluded by rules is passed over, unless it is named
 * itself. Each file comes once.
 *
 * @throws UsageError before anything else if something named does not exist, or a pattern is blank
 */
export async function* findVideos(
  named: Iterable<string>,
  { exclude = [], signal }: WalkOptions = {},
): AsyncGenerator<FoundFile> {
  checkPatterns(exclude)
  const roots = await Promise.all([...named].map(root))
  const isRoot = new Set(roots.map(({ real }) => real))
  const rootOf = rootFinder(isRoot)
  const seen = new Set<string>()
  for (const { path, real, isFolder } of roots) {
    signal?.throwIfAborted()
    if (seen.has(real)) continue
    seen.add(real)
    if (excludesName(path, isFolder, exclude)) yield { path, kind: 'excluded', reason: 'by --exclude' }
    else if (!isFolder) yield { path }
    else yield* walk({ path, real, isRoot, rootOf, rules: rulesFor(path, exclude), signal })
  }
}

type Root = { readonly path: string; readonly real: string; readonly isFolder: boolean }

const root = async (given: string): Promise<Root> => {
  const path = resolve(given)
  try {
    return { path, real: await realpath(path), isFolder: (await stat(path)).isDirectory() }
  } catch (cause) {
    const why =
      isSystemError(cause) && cause.code !== 'ENOENT' ? `one that can be opened (${cause.code})` : 'one that exists'
    throw new UsageError(`Expected a file or folder, got ${path}: not ${why}`, { remedy: 'Check the path', cause })
  }
}

type RootFinder = ReturnType<typeof rootFinder>

type Folder = {
  readonly path: string
  /** The same without links. */
  readonly real: string
  /** Everything that was named, without links: each is walked on its own. */
  readonly isRoot: ReadonlySet<string>
  readonly rootOf: RootFinder
  readonly rules: Rules
  readonly signal: AbortSignal | undefined
}

async function* walk(folder: Folder): AsyncGenerator<FoundFile> {
  const { path, real, isRoot, rootOf, signal } = folder
  signal?.throwIfAborted()
  let entries: Dirent[]
  let { rules } = folder
  try {
    entries = await readdir(path, { withFileTypes: true })
    // Without its rules too much would be taken in: a folder whose rules cannot be read is not read either.
    if (entries.some((entry) => entry.name === rulesFile && !entry.isDirectory())) rules = await rules.within(path)
  } catch (error) {
    if (!isSystemError(error)) throw error
    return yield { path, kind: 'unreadable', reason: `the folder cannot be read (${error.code})` }
  }
  // By code unit, so that the order is the same in every locale.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const inside = { path: join(path, entry.name), real: join(real, entry.name) }
    if (isRoot.has(inside.real)) continue
    if (entry.isSymbolicLink()) yield* link(inside.path, rootOf)
    else if (!entry.isDirectory()) yield await judge(inside.path, entry, rules)
    else {
      const reason = rules.excludes(inside.path, true)
      if (reason === undefined) yield* walk({ ...folder, ...inside, rules })
      else yield { path: inside.path, kind: 'excluded', reason }
    }
  }
}

/** A link to what was named or lies within it leads to what is found there anyway; any other leads out. */
async function* link(path: string, rootOf: RootFinder): AsyncGenerator<FoundFile> {
  try {
    const target = await realpath(path)
    if (rootOf(target) !== undefined) return
    yield { path, kind: 'excluded', reason: 'a link that leads out of the folder' }
  } catch (error) {
    if (!isSystemError(error)) throw error
    const kind = ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code ?? '') ? 'excluded' : 'unreadable'
    yield { path, kind, reason: `a link that leads nowhere (${error.code})` }
  }
}

/** By its name, where that is enough: nothing is opened but a regular file. */
const judge = async (path: string, entry: Dirent, rules: Rules): Promise<FoundFile> => {
  if (!entry.isFile()) return { path, kind: 'not a video', reason: 'not a regular file' }
  if (!videoExtensions.has(extname(entry.name).toLowerCase()))
    return { path, kind: 'not a video', reason: 'not a video' }
  const reason = rules.excludes(path, false)
  if (reason !== undefined) return { path, kind: 'excluded', reason }
  // A name that is not UTF-8 was read with replacement characters, and does not lead back to its file.
  if (entry.name.includes('\uFFFD') && !(await exists(path)))
    return { path, kind: 'unreadable', reason: 'its name is not UTF-8' }
  if (await isOtherKindOfTs(path)) return { path, kind: 'not a video', reason: 'not a video' }
  return { path }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
