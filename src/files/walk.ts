import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { extname, join, resolve } from 'node:path'
import { UsageError } from '../errors.ts'
import { isWithin } from './paths.ts'
import { isSystemError } from './regular.ts'
import { isOtherKindOfTs } from './transportStream.ts'

/** Endings, in lower case, of the files within a folder that are taken for videos. A file named by itself is always tried. */
export const videoExtensions: ReadonlySet<string> = new Set([
  ...['.mp4', '.m4v', '.mov', '.qt', '.mkv', '.webm', '.avi', '.divx', '.wmv', '.asf', '.flv', '.f4v', '.ogv', '.ogm'],
  ...['.mpg', '.mpeg', '.mpe', '.m1v', '.m2v', '.mpv', '.vob', '.ts', '.m2ts', '.mts', '.m2t', '.tod', '.mod', '.trp'],
  ...['.3gp', '.3g2', '.rm', '.rmvb', '.mxf', '.gxf', '.dv', '.dif', '.wtv', '.nut', '.nsv', '.y4m', '.mjpg', '.mjpeg'],
  ...['.h264', '.264', '.avc', '.h265', '.265', '.hevc', '.ivf', '.obu', '.av1', '.insv', '.lrv', '.360', '.dav'],
])

/** A video to be tried, or something that was passed over and why. Paths are absolute. */
export type FoundFile = { readonly path: string } | { readonly path: string; readonly skipped: string }

export type FindOptions = { readonly signal?: AbortSignal }

/**
 * Walks files and folders: folders with all that lies below, in the order of their names. Links are followed where they
 * are given as a root, not within one; what is hidden (a name with a dot in front) is passed over. Each file comes once.
 *
 * @throws UsageError before anything else if a root does not exist
 */
export async function* findVideos(roots: Iterable<string>, { signal }: FindOptions = {}): AsyncGenerator<FoundFile> {
  const given = await Promise.all([...roots].map(root))
  const seen = new Set<string>()
  for (const { path, real, isFolder } of given) {
    signal?.throwIfAborted()
    const found = isFolder ? walk({ path, real, roots: given.map((each) => each.real), signal }) : [{ path, real }]
    for await (const { real, ...file } of found) {
      if (seen.has(real)) continue
      seen.add(real)
      yield file
    }
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

type Folder = {
  readonly path: string
  /** The same without links. */
  readonly real: string
  readonly roots: readonly string[]
  readonly signal: AbortSignal | undefined
}

type Found = FoundFile & { readonly real: string }

async function* walk(folder: Folder): AsyncGenerator<Found> {
  const { path, real, roots, signal } = folder
  signal?.throwIfAborted()
  let entries: Dirent[]
  try {
    entries = await readdir(path, { withFileTypes: true })
  } catch (error) {
    if (!isSystemError(error)) throw error
    return yield { path, real, skipped: `the folder cannot be read (${error.code})` }
  }
  // By code unit, so that the order is the same in every locale.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const inside = { path: join(path, entry.name), real: join(real, entry.name) }
    if (entry.isSymbolicLink()) yield* link(inside, roots)
    else if (entry.name.startsWith('.')) yield { ...inside, skipped: 'hidden' }
    else if (entry.isDirectory()) yield* walk({ ...folder, ...inside })
    else yield await judge(inside, entry)
  }
}

/** A link into one of the roots leads to what is found there anyway; any other leads out. */
async function* link(inside: { path: string; real: string }, roots: readonly string[]): AsyncGenerator<Found> {
  try {
    const target = await realpath(inside.path)
    if (roots.some((root) => isWithin(target, root))) return
    yield { ...inside, skipped: 'a link that leads out of the folder' }
  } catch (error) {
    if (!isSystemError(error)) throw error
    yield { ...inside, skipped: `a link that leads nowhere (${error.code})` }
  }
}

const judge = async (inside: { path: string; real: string }, entry: Dirent): Promise<Found> => {
  if (!entry.isFile()) return { ...inside, skipped: 'not an ordinary file' }
  if (!videoExtensions.has(extname(entry.name).toLowerCase())) return { ...inside, skipped: 'not a video' }
  // A name that is no UTF-8 was read with replacement characters, and does not lead back to its file.
  if (entry.name.includes('\uFFFD') && !(await exists(inside.path)))
    return { ...inside, skipped: 'its name is not UTF-8' }
  if (await isOtherKindOfTs(inside.path)) return { ...inside, skipped: 'not a video' }
  return inside
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
