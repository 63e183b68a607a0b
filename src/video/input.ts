import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { VidgrepError } from '../errors.ts'
import { NotAVideoError } from './video.ts'

/**
 * Containers that hold their video themselves. Left out on purpose: playlists and scripts that name other files or
 * addresses (concat, hls, dash, sdp, imf, redirectors), pictures and numbered picture series, and Magic Lantern's MLV,
 * which opens its neighbours. ffmpeg compares each name with its own list of a demuxer's names.
 */
const containers = [
  ...['mov', 'mp4', 'matroska', 'webm', 'avi', 'mpegts', 'mpeg', 'mpegvideo', 'flv', 'live_flv', 'asf', 'asf_o', 'ogg'],
  ...['h264', 'hevc', 'vvc', 'evc', 'av1', 'obu', 'ivf', 'm4v', 'mjpeg', 'h261', 'h263', 'vc1', 'vc1test', 'cavsvideo'],
  ...[
    'avs2',
    'avs3',
    'dirac',
    'dnxhd',
    'mxf',
    'mxf_opatom',
    'gxf',
    'dv',
    'wtv',
    'nut',
    'nsv',
    'nuv',
    'rm',
    'ty',
    'pva',
  ],
  ...['gif', 'apng', 'yuv4mpegpipe', 'roq', 'bink', 'smk', 'flic', 'swf', 'dhav', 'ipmovie', 'mpjpeg', 'kux', 'vivo'],
].join(',')

/** Options that stand before `-i`, for ffmpeg and ffprobe alike: whatever is in the file, nothing else is opened. */
export const safeInputOptions: readonly string[] = ['-protocol_whitelist', 'file', '-format_whitelist', containers]

/** How ffmpeg is given a path so that nothing in its name means anything: `%03d`, `http:x`, `-y`, a newline. */
export const inputUrl = (path: string): string => `file:${resolve(path)}`

/** The file cannot be opened: it is missing or not ours to read. */
export class UnreadableFileError extends VidgrepError {
  constructor(message: string, details: { remedy: string; cause?: unknown }) {
    super('unreadable-file', message, details)
  }
}

/**
 * @throws UnreadableFileError if the path does not exist or may not be read
 * @throws NotAVideoError if it is a folder, a device or an empty file
 */
export const checkReadable = async (path: string): Promise<void> => {
  try {
    const found = await stat(path)
    if (!found.isFile()) {
      throw new NotAVideoError(
        `Expected a video file, got ${found.isDirectory() ? 'a folder' : 'no ordinary file'}: ${path}`,
        {
          remedy: 'Name a video file',
        },
      )
    }
    await access(path, constants.R_OK)
    if (found.size === 0) {
      throw new NotAVideoError(`Expected a video, got an empty file: ${path}`, { remedy: 'Copy or download it again' })
    }
  } catch (cause) {
    throw isSystemError(cause) ? unreadable(path, cause) : cause
  }
}

/** Names what the system said of a file, in words. */
export const unreadable = (path: string, cause: NodeJS.ErrnoException): UnreadableFileError => {
  const missing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR'
  if (missing) return new UnreadableFileError(`There is no file ${path}`, { remedy: 'Check the path', cause })
  const denied = cause.code === 'EACCES' || cause.code === 'EPERM'
  const reason = denied ? 'permission denied' : (cause.code ?? cause.message)
  return new UnreadableFileError(`Cannot read ${path}: ${reason}`, {
    remedy: `Check its permissions: ls -l "${path}"`,
    cause,
  })
}

export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error
