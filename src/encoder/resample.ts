import { setImmediate } from 'node:timers/promises'
import type { Picture } from '../video/video.ts'

export type Interpolation = 'bicubic' | 'bilinear'

/** The part of the resized picture that is wanted, in its pixels. */
export type Cut = { readonly x: number; readonly y: number; readonly width: number; readonly height: number }

/** How far a kernel reaches, in pixels of the smaller picture, and its weight at a distance. */
const kernels: Record<Interpolation, { readonly reach: number; readonly weight: (distance: number) => number }> = {
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys' cubic with a = −0.5, as Pillow has it.
  bicubic: {
    reach: 2,
    weight: (distance) => {
      const x = Math.abs(distance)
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    },
  },
}

/** Rows between two pauses: a few milliseconds of work on a photograph, so that the event loop stays free. */
const rowsAtOnce = 64

/**
 * Resizes as Pillow does, on which the models were trained: the kernel is widened by the factor of reduction, passes are
 * separate, and each rounds to 8 bits. (sharp agrees when it reduces, but not when it enlarges.)
 * Source: https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c
 *
 * @returns RGB, [cut.height, cut.width, 3]
 */
export const resample = async (
  picture: Picture,
  size: { readonly width: number; readonly height: number },
  cut: Cut,
  interpolation: Interpolation,
): Promise<Uint8Array> => {
  const columns = taps(picture.width, size.width, cut.x, cut.width, interpolation)
  const rows = taps(picture.height, size.height, cut.y, cut.height, interpolation)
  const narrow = new Uint8ClampedArray(picture.height * cut.width * 3)
  for (let y = 0; y < picture.height; y++) {
    if (y % rowsAtOnce === rowsAtOnce - 1) await setImmediate()
    resampleRow(picture.data, y * picture.width * 3, columns, narrow, y * cut.width * 3)
  }
  const out = new Uint8ClampedArray(cut.width * cut.height * 3)
  rows.forEach((row, y) => {
    sumRows(narrow, cut.width * 3, row, out, y * cut.width * 3)
  })
  return new Uint8Array(out.buffer)
}

/** Pixels `first`, `first + 1` … of the source and their weights, which sum to 1, for one pixel of the result. */
type Taps = { readonly first: number; readonly weights: Float64Array }

const taps = (from: number, to: number, start: number, count: number, interpolation: Interpolation): Taps[] => {
  const { reach, weight } = kernels[interpolation]
  const scale = from / to
  const widened = Math.max(scale, 1)
  return Array.from({ length: count }, (_, i) => {
    const centre = (start + i + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - reach * widened + 0.5))
    const end = Math.min(from, Math.trunc(centre + reach * widened + 0.5))
    const weights = Float64Array.from({ length: end - first }, (_, k) => weight((first + k - centre + 0.5) / widened))
    const sum = weights.reduce((a, b) => a + b, 0)
    return { first, weights: weights.map((w) => w / sum) }
  })
}

const resampleRow = (
  source: Uint8Array,
  start: number,
  columns: readonly Taps[],
  target: Uint8ClampedArray,
  to: number,
): void => {
  for (let x = 0; x < columns.length; x++) {
    const { first, weights } = columns[x]!
    let [red, green, blue] = [0, 0, 0]
    for (let k = 0, at = start + first * 3; k < weights.length; k++, at += 3) {
      const weight = weights[k]!
      red += source[at]! * weight
      green += source[at + 1]! * weight
      blue += source[at + 2]! * weight
    }
    const at = to + x * 3
    target[at] = red
    target[at + 1] = green
    target[at + 2] = blue
  }
}

const sumRows = (
  source: Uint8ClampedArray,
  width: number,
  { first, weights }: Taps,
  target: Uint8ClampedArray,
  to: number,
): void => {
  const sum = new Float64Array(width)
  weights.forEach((weight, k) => {
    const from = (first + k) * width
    for (let x = 0; x < width; x++) sum[x]! += source[from + x]! * weight
  })
  target.set(sum, to)
}
