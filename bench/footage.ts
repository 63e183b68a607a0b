import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findTool } from '../src/video/ffmpeg.ts'

const run = promisify(execFile)

/** A stretch of a clip. */
export type Stretch = {
  /** Seconds; it begins at the key frame before. */
  readonly from: number
  readonly frames: number
}

export type PlayedOver = {
  /** Default: the whole clip. */
  readonly stretch?: Stretch
  /** ffmpeg's options of how to write the stream. Default: copied as it is, with the noise of the camera and its encoder. */
  readonly codec?: readonly string[]
}

/**
 * Makes a long video of a clip, or of a stretch of it, played over and over.
 *
 * @param seconds length of the new video
 * @param target path of the new video, .mp4
 */
export const playedOver = async (
  clip: string,
  seconds: number,
  target: string,
  { stretch, codec = ['-c', 'copy'] }: PlayedOver = {},
): Promise<string> => {
  const { path: ffmpeg } = await findTool('ffmpeg')
  const quiet = ['-v', 'error', '-y']
  const picture = ['-map', '0:v:0']
  const part = join(target, '..', 'stretch.mp4')
  if (stretch) {
    const cut = [...picture, '-c', 'copy', '-frames:v', `${stretch.frames}`]
    await run(ffmpeg, [...quiet, '-ss', `${stretch.from}`, '-i', clip, ...cut, part])
  }
  const over = ['-stream_loop', '-1', '-i', stretch ? part : clip]
  await run(ffmpeg, [...quiet, ...over, ...picture, ...codec, '-t', `${seconds}`, target])
  await rm(part, { force: true })
  return target
}
