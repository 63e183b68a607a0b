import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findTool } from '../src/video/ffmpeg.ts'

const run = promisify(execFile)

/** A stretch of a clip, in seconds. It begins at the key frame before `from`. */
export type Stretch = { readonly from: number; readonly to: number }

/**
 * Makes a long video of a clip, or of a stretch of it, played over and over. The stream is copied as it is, so the noise
 * of camera and encoder is the real one.
 *
 * @param seconds length of the new video
 * @param target path of the new video, .mp4
 */
export const playedOver = async (clip: string, seconds: number, target: string, stretch?: Stretch): Promise<string> => {
  const { path: ffmpeg } = await findTool('ffmpeg')
  const quiet = ['-v', 'error', '-y']
  const copied = ['-map', '0:v:0', '-c', 'copy']
  const part = join(target, '..', 'stretch.mp4')
  if (stretch) {
    const { from, to } = stretch
    await run(ffmpeg, [...quiet, '-ss', `${from}`, '-t', `${to - from}`, '-i', clip, ...copied, part])
  }
  await run(ffmpeg, [
    ...quiet,
    '-stream_loop',
    '-1',
    '-i',
    stretch ? part : clip,
    ...copied,
    '-t',
    `${seconds}`,
    target,
  ])
  await rm(part, { force: true })
  return target
}
