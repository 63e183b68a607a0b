import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { VidgrepError } from '../errors.ts'
import { folders } from '../settings.ts'

export type Tool = 'ffmpeg' | 'ffprobe'

/** A program that was found and has answered. */
export type ToolVersion = {
  /** Absolute. */
  readonly path: string
  /** As the program says it: "5.1.9-0+deb12u1", "n9.0.2-17-g2a571b6068". */
  readonly version: string
  /** The environment variable, PATH, or the copy that npm brought along. */
  readonly source: 'env' | 'PATH' | 'carried'
  /** Version of libavcodec, [major, minor]: unlike the version above it is there, and comparable, in every build. */
  readonly libavcodec: readonly [number, number]
}

/** There is no ffmpeg or ffprobe that runs. */
export class FfmpegError extends VidgrepError {
  constructor(message: string, { remedy = installRemedy, cause }: { remedy?: string; cause?: unknown } = {}) {
    super('ffmpeg', message, { remedy, cause })
  }
}

const installRemedy = 'Install ffmpeg 4.1 or newer, or run npm install again so that its carried copy is there'

/** Name of the variable that says which program to take: a path, or `carried` for exactly the copy that npm brought. */
export const toolVariable: Readonly<Record<Tool, string>> = { ffmpeg: 'VIDGREP_FFMPEG', ffprobe: 'VIDGREP_FFPROBE' }

/** Signals that a program gets for its own faults: the file made it crash. */
export const crashSignals: readonly NodeJS.Signals[] = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL']

/** libavcodec of ffmpeg 4.0: nothing older is taken. */
const oldestLibavcodec = 58

/**
 * Which ffmpeg and ffprobe are used: `VIDGREP_FFMPEG`/`VIDGREP_FFPROBE`, else the newer of PATH's and npm's own.
 *
 * @throws FfmpegError if the one asked for by name does not run, or none does
 */
export const ffmpegVersions = async (): Promise<Readonly<Record<Tool, ToolVersion>>> => {
  const [ffmpeg, ffprobe] = await Promise.all([findTool('ffmpeg'), findTool('ffprobe')])
  return { ffmpeg, ffprobe }
}

const found = new Map<string, Promise<ToolVersion>>()

/** Looks once for the same environment; a failure is not remembered. @throws FfmpegError if none runs */
export const findTool = (tool: Tool): Promise<ToolVersion> => {
  const key = JSON.stringify([tool, process.env[toolVariable[tool]], process.env.PATH])
  const known = found.get(key)
  if (known) return known
  const search = lookFor(tool)
  found.set(key, search)
  search.catch(() => found.delete(key))
  return search
}

const lookFor = async (tool: Tool): Promise<ToolVersion> => {
  const asked = process.env[toolVariable[tool]]
  if (asked === 'carried') return ask(tool, await carriedTool(tool), 'carried')
  if (asked) return ask(tool, resolve(asked), 'env')
  const failures: unknown[] = []
  const unlessItFails = (candidate: Promise<ToolVersion>): Promise<ToolVersion | undefined> =>
    candidate.catch((error) => void failures.push(error))
  const [installed, carried] = await Promise.all([
    firstOnPath(tool, unlessItFails),
    unlessItFails(carriedTool(tool).then((path) => ask(tool, path, 'carried'))),
  ])
  // At the same age the installed one is taken: it may have been built for this machine.
  const newest = installed && carried && !isAtLeast(installed, ...carried.libavcodec) ? carried : (installed ?? carried)
  if (newest) return newest
  const reasons = failures.map((error) => (error instanceof Error ? error.message : String(error)))
  throw new FfmpegError(`Expected ${tool} on PATH or carried by npm, found none that runs: ${reasons.join('; ')}`, {
    cause: failures.at(-1),
  })
}

const firstOnPath = async (
  tool: Tool,
  unlessItFails: (candidate: Promise<ToolVersion>) => Promise<ToolVersion | undefined>,
): Promise<ToolVersion | undefined> => {
  for (const path of await onPath(tool)) {
    const found = await unlessItFails(ask(tool, path, 'PATH'))
    if (found) return found
  }
  return undefined
}

const onPath = async (tool: Tool): Promise<readonly string[]> => {
  const name = process.platform === 'win32' ? `${tool}.exe` : tool
  const places = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const paths = places.map((folder) => resolve(join(folder, name)))
  const usable = await Promise.all(paths.map(isExecutable))
  return paths.filter((_, i) => usable[i])
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

const ask = async (tool: Tool, path: string, source: ToolVersion['source']): Promise<ToolVersion> => {
  const variable = source === 'env' ? ` (from ${toolVariable[tool]})` : ''
  const remedy = source === 'env' ? `Unset ${toolVariable[tool]} or set it to a ${tool} that runs` : installRemedy
  const { stdout } = await promisify(execFile)(path, ['-version'], {
    timeout: 30_000,
    windowsHide: true,
    env: toolEnvironment(path),
  }).catch((cause) => {
    throw new FfmpegError(`Expected ${tool} at ${path}${variable}, got: ${firstLine(cause)}`, { remedy, cause })
  })
  const version = stdout.match(/^ff\w+ version (\S+)/)?.[1]
  const [, major, minor] = stdout.match(/^libavcodec +(\d+)\. *(\d+)\./m) ?? []
  if (!version || !major || !minor) {
    throw new FfmpegError(`Expected ${tool} at ${path}${variable}, got a program that does not tell its version`, {
      remedy,
    })
  }
  if (Number(major) < oldestLibavcodec) {
    throw new FfmpegError(`Expected ${tool} 4.1 or newer at ${path}${variable}, got ${version}`, { remedy })
  }
  return { path, version, source, libavcodec: [Number(major), Number(minor)] }
}

/** Variables that ffmpeg and ffprobe read and that change what they print, write or look for. */
const disturbing = /^(AV_LOG_|FFREPORT$|FFMPEG_DATADIR$|AVCONV_DATADIR$)/i

/**
 * The environment to run a tool in, less what disturbs it. Statically linked builds (the carried ffprobe, most that are
 * downloaded) crash on MPEG-TS when they find the system's own character set converters, which are of another C library:
 * `GCONV_PATH` keeps them from it. Nothing that is read here needs converting.
 */
export const toolEnvironment = (path: string): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !disturbing.test(name))),
  GCONV_PATH: dirname(path),
})

const firstLine = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).split('\n')[0] ?? ''

/** Whether a build's libavcodec is at least this one. */
export const isAtLeast = (
  { libavcodec: [major, minor] }: ToolVersion,
  wantedMajor: number,
  wantedMinor: number,
): boolean => major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)

const require = createRequire(import.meta.url)
const packages = { ffmpeg: '@ffmpeg-installer/ffmpeg', ffprobe: '@ffprobe-installer/ffprobe' } as const

/**
 * Path of the program that npm brought along, ready to run. Its file may lack the right to be executed (npm was told
 * to run no install scripts) or have it for another user only: the right is added, else a copy of ours gets it.
 *
 * @throws if npm brought none for this platform
 */
const carriedTool = (tool: keyof typeof packages): Promise<string> =>
  executable((require(packages[tool]) as { path: string }).path, tool)

/** The file itself if it may be executed, or can be made so; else a copy in the cache folder. */
export const executable = async (path: string, tool: string): Promise<string> => {
  if (await isExecutable(path)) return path
  await chmod(path, 0o755).catch(() => {})
  if (await isExecutable(path)) return path
  const { size, mtimeMs } = await stat(path)
  const folder = join(folders().cache, 'bin', `${tool}-${size}-${Math.round(mtimeMs)}`)
  const copy = join(folder, process.platform === 'win32' ? `${tool}.exe` : tool)
  if (await isExecutable(copy)) return copy
  await mkdir(folder, { recursive: true })
  const unfinished = `${copy}.${process.pid}`
  await copyFile(path, unfinished)
  await chmod(unfinished, 0o755)
  await rename(unfinished, copy)
  return copy
}
