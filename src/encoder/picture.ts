import sharp from 'sharp'
import { VidgrepError } from '../errors.ts'
import type { ImageTower } from '../models/model.ts'
import type { Picture } from '../video/video.ts'
import { type Cut, resample } from './resample.ts'

/** The file is no picture that can be decoded. */
export class PictureError extends VidgrepError {}

/**
 * Decodes a picture as it is meant to be seen: upright, sRGB, transparent parts on white.
 *
 * @param source path of a file, or its bytes (JPEG, PNG, WebP, AVIF, GIF, TIFF)
 * @throws PictureError if it is no picture
 */
export const decodePicture = async (source: string | Uint8Array): Promise<Picture> => {
  try {
    const { data, info } = await sharp(source)
      .autoOrient()
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw new Error(`it has ${info.channels} channels`)
    return { width: info.width, height: info.height, data }
  } catch (cause) {
    const name = typeof source === 'string' ? `"${source}"` : 'the data given'
    throw new PictureError('not-a-picture', `Expected a picture, got ${name}: ${(cause as Error).message}`, {
      remedy: 'Give a JPEG, PNG, WebP, AVIF, GIF or TIFF file that a picture viewer opens',
      cause,
    })
  }
}

/**
 * Makes a picture the model's input, by the model's own rule.
 *
 * @returns RGB, 8 bits, [size, size, 3] with `size` the model's input size in pixels
 */
export const fitPicture = async (
  picture: Picture,
  { size, resize, interpolation }: Pick<ImageTower, 'size' | 'resize' | 'interpolation'>,
): Promise<Uint8Array> => {
  if (resize === 'squash') {
    const square = { width: size, height: size }
    return resample(picture, square, { x: 0, y: 0, ...square }, interpolation)
  }
  const resized = shortestEdge(picture, size)
  return resample(picture, resized, centre(resized, size), interpolation)
}

/** The longer edge is rounded down, as torchvision does for CLIP. */
const shortestEdge = ({ width, height }: Picture, size: number): { width: number; height: number } =>
  width <= height
    ? { width: size, height: Math.trunc((size * height) / width) }
    : { width: Math.trunc((size * width) / height), height: size }

const centre = (resized: { width: number; height: number }, size: number): Cut => ({
  x: Math.floor((resized.width - size) / 2),
  y: Math.floor((resized.height - size) / 2),
  width: size,
  height: size,
})
