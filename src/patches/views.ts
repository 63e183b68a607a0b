import type { Box } from '../store/store.ts'
import type { Frame, Picture, View } from '../video/video.ts'
import { boxOf, type Grid, isTooOblong, layersOf, type Square } from './grid.ts'

/** Bytes of a pixel: red, green, blue. */
const channels = 3

/** One patch of every frame of a video, ready to be cut. */
export type PlannedPatch = {
  /** 0 is the whole frame. */
  readonly number: number
  /** What is really cut, as fractions of the displayed frame. */
  readonly box: Box
  /**
   * Copies the patch's pixels into `target` from byte `offset` on: [size, size, 3], `size` the model's input size.
   * Allocates nothing.
   */
  cut(frame: Frame, target: Uint8Array, offset: number): void
}

/** What a model takes in: a square picture, made of the frame by the model's own rule. */
export type ModelInput = {
  /** Edge in pixels. */
  readonly size: number
  /** `edge-crop`: the shorter edge to `size`, then the middle; `squash`: both edges to `size`. */
  readonly resize: 'edge-crop' | 'squash'
  readonly interpolation?: 'bicubic' | 'bilinear'
}

export type PatchPlan = {
  /** What to ask the decoder for: each frame is scaled once for each size of squares. */
  readonly views: readonly View[]
  /** By number. */
  readonly patches: readonly PlannedPatch[]
  /** Bytes that one cut patch takes in a batch. */
  readonly patchBytes: number
}

/**
 * Plans how the frames of a video become a model's input: which pictures the decoder hands out, and where each patch
 * lies in them. A box says what the model really sees.
 *
 * Patch 0 is the frame by the model's own resize rule. Where that rule cuts the sides off, patch 0 is only the square in
 * the middle; at `whole`, which has to show every pixel too, such a model gets the squares of the full height instead.
 *
 * @param info size of the displayed frame in pixels
 */
export const planPatches = (
  info: { readonly width: number; readonly height: number },
  grid: Grid,
  { size, resize, interpolation }: ModelInput,
): PatchPlan => {
  const frame = frameView(info, size, resize)
  const isCutOff = frame.crop !== undefined
  const layers = layersOf(info, isCutOff && grid === 'whole' ? 'low' : grid)
  const views: View[] = layers.map(({ edge }) => layerView(info, edge, size))
  const patchAt = (number: number, view: number, corner: Corner): PlannedPatch => ({
    number,
    box: boxOf({ ...corner, width: size, height: size }, views[view]!),
    cut: ({ views }, target, offset) => copySquare(views[view], corner, size, target, offset),
  })
  const patches = layers.flatMap(({ edge, squares }, view) =>
    squares.map((square) => patchAt(square.number, view, cornerInView(square, edge, info, views[view]!, size))),
  )
  const hasFrame = layers.length === 0 || (grid !== 'article' && !(isCutOff && grid === 'whole'))
  // The picture that its middle is cut from is the one that the squares of the full height are cut from.
  if (hasFrame) patches.unshift(patchAt(0, isCutOff ? 0 : views.push(frame) - 1, frame.crop ?? { x: 0, y: 0 }))
  return { views: views.map((view) => ({ ...view, interpolation })), patches, patchBytes: size * size * channels }
}

/**
 * The model's own resize rule as a view. `edge-crop` rounds as the reference preprocessing does: the longer edge and the
 * crop's offset both down. A frame too oblong for squares is squashed whole instead: a crop would show less than a
 * twenty-fourth of it.
 */
export const frameView = (
  info: { readonly width: number; readonly height: number },
  size: number,
  resize: ModelInput['resize'],
): View => {
  const { width, height } = info
  if (resize === 'squash' || width === height || isTooOblong(info)) return { width: size, height: size }
  const shorter = Math.min(width, height)
  const scaled = { width: Math.floor((size * width) / shorter), height: Math.floor((size * height) / shorter) }
  const crop = {
    x: Math.floor((scaled.width - size) / 2),
    y: Math.floor((scaled.height - size) / 2),
    width: size,
    height: size,
  }
  return { ...scaled, crop }
}

/** Rounded down as the frame's own view is, which is one of these. */
const layerView = ({ width, height }: { width: number; height: number }, edge: number, size: number): View => ({
  width: Math.floor((size * width) / edge),
  height: Math.floor((size * height) / edge),
})

type Corner = { readonly x: number; readonly y: number }

/** Where a square of the displayed frame comes to lie: no gap opens, and one at the far edge still touches it. */
const cornerInView = (
  { x, y }: Square,
  edge: number,
  info: { width: number; height: number },
  view: View,
  size: number,
): Corner => {
  const startIn = (start: number, length: number, viewLength: number): number =>
    start === 0 ? 0 : Math.round((start * (viewLength - size)) / (length - edge))
  return { x: startIn(x, info.width, view.width), y: startIn(y, info.height, view.height) }
}

const copySquare = (
  picture: Picture | undefined,
  { x, y }: Corner,
  size: number,
  target: Uint8Array,
  offset: number,
): void => {
  if (!picture || x + size > picture.width || y + size > picture.height) {
    const got = picture ? `${picture.width} × ${picture.height}` : 'none'
    throw new RangeError(`Expected a picture that holds ${size} × ${size} pixels at ${x}, ${y}, got ${got}`)
  }
  const rowBytes = size * channels
  if (offset + size * rowBytes > target.length) {
    throw new RangeError(`Expected room for ${size * rowBytes} bytes at ${offset}, got ${target.length - offset}`)
  }
  // Buffer.copy takes positions, so that no row needs a view of its own.
  const source = Buffer.from(picture.data.buffer, picture.data.byteOffset, picture.data.byteLength)
  for (let row = 0; row < size; row++) {
    const from = ((y + row) * picture.width + x) * channels
    source.copy(target, offset + row * rowBytes, from, from + rowBytes)
  }
}
