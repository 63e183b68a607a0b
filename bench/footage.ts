import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpeg, { type FfmpegCommand } from 'fluent-ffmpeg'
import { findTool } from '../src/video/ffmpeg.ts'

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
  const { path } = await findTool('ffmpeg')
  const part = join(target, '..', 'stretch.mp4')
  if (stretch) {
    const cut = ffmpeg(clip).setFfmpegPath(path).seekInput(stretch.from)
    await written(cut.outputOptions('-map', '0:v:0', '-c', 'copy', '-frames:v', `${stretch.frames}`), part)
  }
  const over = ffmpeg(stretch ? part : clip)
    .setFfmpegPath(path)
    .inputOptions('-stream_loop', '-1')
  await written(over.outputOptions('-map', '0:v:0', ...codec, '-t', `${seconds}`), target)
  await rm(part, { force: true })
  return target
}

const written = (command: FfmpegCommand, target: string): Promise<void> =>
  new Promise((resolve, reject) => {
    command
      .on('end', () => resolve())
      .on('error', reject)
      .save(target)
  })
