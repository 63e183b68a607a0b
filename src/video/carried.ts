import { constants } from 'node:fs'
import { access, chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { folders } from '../settings.ts'

const require = createRequire(import.meta.url)
const packages = { ffmpeg: '@ffmpeg-installer/ffmpeg', ffprobe: '@ffprobe-installer/ffprobe' } as const

/**
 * Path of the program that npm brought along, ready to run. Its file may lack the right to be executed (npm was told
 * to run no install scripts) or have it for another user only: the right is added, else a copy of ours gets it.
 *
 * @throws if npm brought none for this platform
 */
export const carriedTool = (tool: keyof typeof packages): Promise<string> =>
  executable((require(packages[tool]) as { path: string }).path, tool)

/** The file itself if it may be executed, or can be made so; else a copy in the cache folder. */
export const executable = async (path: string, tool: string): Promise<string> => {
  if (await mayRun(path)) return path
  await chmod(path, 0o755).catch(() => {})
  if (await mayRun(path)) return path
  const { size, mtimeMs } = await stat(path)
  const folder = join(folders().cache, 'bin', `${tool}-${size}-${Math.round(mtimeMs)}`)
  const copy = join(folder, process.platform === 'win32' ? `${tool}.exe` : tool)
  if (await mayRun(copy)) return copy
  await mkdir(folder, { recursive: true })
  const unfinished = `${copy}.${process.pid}`
  await copyFile(path, unfinished)
  await chmod(unfinished, 0o755)
  await rename(unfinished, copy)
  return copy
}

const mayRun = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
