import type { Box } from '../store/store.ts'
import type { Frame, Picture, View } from '../video/video.ts'
import { boxOf, type GridSettings, gridFor, isTooOblong, type PatchArea } from './grid.ts'

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
  /** What to ask the decoder for: each frame is scaled once for the squares and once for the whole frame. */
  readonly views: readonly View[]
  /** By number. */
  readonly patches: readonly PlannedPatch[]
  /** Bytes that one cut patch takes in a batch. */
  readonly patchBytes: number
}

/**
 * Plans how the frames of a video become a model's input: which pictures the decoder hands out, and where each patch
 * lies in them. The whole frame goes through the model's own resize rule (its box is the whole frame even where that
 * rule crops); the squares are cut from the frame scaled to where a square's edge is the model's input size.
 *
 * @param info size of the displayed frame in pixels
 * @throws UsageError if the grid settings are out of range
 */
export const planPatches = (
  info: { readonly width: number; readonly height: number },
  settings: GridSettings,
  { size, resize, interpolation }: ModelInput,
): PatchPlan => {
  const { areas, edge } = gridFor(info, settings)
  const views: View[] = []
  const patches: PlannedPatch[] = []
  if (areas[0]?.number === 0) {
    const view = views.push(wholeFrameView(info, size, resize)) - 1
    patches.push({ number: 0, box: [0, 0, 1, 1], cut: cutFrom(view, { x: 0, y: 0 }, size) })
  }
  if (edge !== undefined) {
    const scaled = squaresView(info, edge, size)
    const view = views.push(scaled) - 1
    for (const area of areas.filter(({ number }) => number > 0)) {
      const corner = cornerInView(area, info, scaled, size)
      const box = boxOf({ ...corner, width: size, height: size }, scaled)
      patches.push({ number: area.number, box, cut: cutFrom(view, corner, size) })
    }
  }
  return { views: views.map((view) => ({ ...view, interpolation })), patches, patchBytes: size * size * channels }
}

/**
 * The model's own resize rule as a view. `edge-crop` rounds as the reference preprocessing does: the longer edge and the
 * crop's offset both down. A frame too oblong for squares is squashed whole instead: a crop would show less than a
 * twenty-fourth of it.
 */
export const wholeFrameView = (
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

const squaresView = (info: { width: number; height: number }, edge: number, size: number): View => ({
  width: Math.round((info.width * size) / edge),
  height: Math.round((info.height * size) / edge),
})

/** Where a square of the displayed frame comes to lie, rounded so that one at the far edge still touches it. */
const cornerInView = (area: PatchArea, info: { width: number; height: number }, view: View, size: number): Corner => ({
  x: startInView(area.x, area.width, info.width, view.width, size),
  y: startInView(area.y, area.height, info.height, view.height, size),
})

/** Scales by the exact factor and not by the rounded view, so that squares side by side stay side by side. */
const startInView = (start: number, edge: number, length: number, viewLength: number, size: number): number =>
  start + edge === length ? viewLength - size : Math.round((start * size) / edge)

type Corner = { readonly x: number; readonly y: number }

const cutFrom =
  (view: number, corner: Corner, size: number): PlannedPatch['cut'] =>
  (frame, target, offset) =>
    copySquare(frame.views[view], corner, size, target, offset)

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
