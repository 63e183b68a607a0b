import sharp, { type Sharp } from 'sharp'
import type { Encoder } from '../encoder/encoder.ts'
import { UsageError } from '../errors.ts'
import { openRegular } from '../files/regular.ts'
import { frameView } from '../patches/views.ts'
import type { Box, CallOptions, Store } from '../store/store.ts'
import { frame } from '../video/still.ts'
import type { Picture, VideoPlace } from './query.ts'
import { placeOf } from './videos.ts'

export type PictureContext = CallOptions & {
  readonly encoder: Encoder
  readonly store: Pick<Store, 'search' | 'points' | 'record' | 'records'>
}

/**
 * The embedding of a picture, or of what a video shows: a unit vector. What is stored of an indexed video is taken from
 * there; else its frame is decoded.
 *
 * @throws UsageError for a file that is no picture or too large, a video that is not there, or a place that is none
 * @throws UnreadableFileError if a file is missing or may not be read
 */
export const pictureVector = async (picture: Picture, context: PictureContext): Promise<Float32Array> => {
  if ('image' in picture) {
    const bytes = typeof picture.image === 'string' ? await readPicture(picture.image) : picture.image
    return encode(await openPicture(bytes, typeof picture.image === 'string' ? picture.image : 'the picture'), context)
  }
  return placeVector(picture, context)
}

/** Most bytes of a picture file, and most pixels that are decoded: 16,384 × 16,384. */
const mostBytes = 256 << 20
const mostPixels = 2 ** 28

/** Longest time that decoding a picture may take, in seconds. */
const decodeSeconds = 30

const readPicture = async (path: string): Promise<Uint8Array> => {
  const file = await openRegular(path, 'picture')
  try {
    const { size } = await file.stat()
    if (size > mostBytes) throw tooLarge(path, `${Math.round(size / 2 ** 20)} MB`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

const formats: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif', 'avif']

type OpenPicture = { readonly picture: Sharp; readonly width: number; readonly height: number }

/** @param name for people */
const openPicture = async (bytes: Uint8Array, name: string): Promise<OpenPicture> => {
  if (bytes.length === 0) {
    throw new UsageError(`Expected a picture, got nothing: ${name} is empty`, { remedy: anotherPicture })
  }
  if (bytes.length > mostBytes) throw tooLarge(name, `${Math.round(bytes.length / 2 ** 20)} MB`)
  const picture = sharp(bytes, { limitInputPixels: mostPixels, autoOrient: true, failOn: 'error' }).timeout({
    seconds: decodeSeconds,
  })
  const { format, autoOrient } = await picture.metadata().catch((cause: unknown) => {
    throw noPicture(name, cause)
  })
  const { width, height } = autoOrient
  if (!formats.includes(format)) throw noPicture(name, new Error(`its format is ${format}`))
  if (width * height > mostPixels) throw tooLarge(name, `${width} × ${height} pixels`)
  return { picture, width, height }
}

const anotherPicture = 'Give a JPEG, PNG, WebP, AVIF, TIFF or GIF'

const noPicture = (name: string, cause: unknown): UsageError =>
  new UsageError(`Expected a picture, got something else: ${name}`, { remedy: anotherPicture, cause })

const tooLarge = (name: string, got: string): UsageError =>
  new UsageError(`Expected a picture of at most 256 MB and 268 megapixels, got ${got}: ${name}`, {
    remedy: 'Scale it down first: the model sees a few hundred pixels of it',
  })

/** Through the model's own resize rule, as whole frames are. */
const encode = async (
  { picture, width, height }: OpenPicture,
  { encoder, signal }: Pick<PictureContext, 'encoder' | 'signal'>,
): Promise<Float32Array> => {
  const { size, resize, interpolation } = encoder.model.image
  const view = frameView({ width, height }, size, resize)
  const scaled = picture.resize(view.width, view.height, {
    fit: 'fill',
    kernel: interpolation === 'bilinear' ? 'linear' : 'cubic',
  })
  const { crop } = view
  if (crop) scaled.extract({ left: crop.x, top: crop.y, width: crop.width, height: crop.height })
  const pixels = await scaled
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw()
    .toBuffer()
    .catch((cause: unknown) => {
      throw noPicture('the picture', cause)
    })
  const [vector] = await encoder.encodePictures(pixels, { signal })
  return vector!
}

/** How much of a stored patch and of the place asked for must be the same (intersection over union). */
const sameBox = 0.7

/** Times are shown in milliseconds. */
const sameSeconds = 0.001

const placeVector = async (place: VideoPlace, context: PictureContext): Promise<Float32Array> => {
  checkPlace(place)
  const { store, signal } = context
  const { t, box = wholeFrame } = place
  const known = await placeOf(store, place, { signal })
  if (known) {
    const filter = { videos: [known.record.video], afterSeconds: t - sameSeconds, beforeSeconds: t + sameSeconds }
    // Which are nearest does not matter: all are asked for.
    const seen = await store.search(anyDirection(context.encoder.model.dimension), { limit: 4096, filter, signal })
    const [nearest] = seen.toSorted((a, b) => overlap(b.box, box) - overlap(a.box, box))
    // The frame through the model's own rule is patch 0, also where that rule cuts its sides off.
    const same =
      place.box === undefined
        ? seen.find(({ patch }) => patch === 0)
        : nearest && overlap(nearest.box, box) >= sameBox && nearest
    if (same) {
      const point = (await store.points([same.id], { signal })).get(same.id)
      if (point) return point.vector
    }
  }
  const { data, width, height } = await frame(known?.path ?? place.video, t, { signal })
  const [x, y, w, h] = box
  const [left, top] = [Math.min(width - 1, Math.floor(x * width)), Math.min(height - 1, Math.floor(y * height))]
  const size = { width: within(w * width, width - left), height: within(h * height, height - top) }
  const picture = sharp(data, { raw: { width, height, channels: 3 } }).extract({ left, top, ...size })
  return encode({ picture, ...size }, context)
}

const wholeFrame: Box = [0, 0, 1, 1]

const within = (pixels: number, most: number): number => Math.min(most, Math.max(1, Math.round(pixels)))

const anyDirection = (dimension: number): Float32Array => new Float32Array(dimension).fill(1 / Math.sqrt(dimension))

/** Intersection over union, 0 to 1. */
const overlap = ([x, y, w, h]: Box, [otherX, otherY, otherW, otherH]: Box): number => {
  const width = Math.max(0, Math.min(x + w, otherX + otherW) - Math.max(x, otherX))
  const height = Math.max(0, Math.min(y + h, otherY + otherH) - Math.max(y, otherY))
  return (width * height) / (w * h + otherW * otherH - width * height)
}

/** @throws UsageError if it is no place of a video */
export const checkPlace = ({ t, box }: VideoPlace): void => {
  if (!Number.isFinite(t)) {
    throw new UsageError(`Expected a time in seconds, got ${t}`, { remedy: 'Use for instance 12.5' })
  }
  const [x = 0, y = 0, w = 1, h = 1] = box ?? []
  const isInside = x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 1 + 1e-6 && y + h <= 1 + 1e-6
  if (box === undefined || (box.length === 4 && isInside)) return
  throw new UsageError(`Expected a box of fractions x,y,width,height within 0 to 1, got ${box}`, {
    remedy: 'Use for instance 0.25,0.25,0.5,0.5 for the middle',
  })
}
