/** Edge of the thumbnails that are compared, in pixels. */
const edge = 32

/** Bytes of a pixel: red, green, blue. */
const channels = 3

/**
 * How far the brightness of a whole patch may move without counting, in levels of 255: exposure and lamps flicker by as
 * much, and a real change of light is more.
 */
const flickerLevels = 4

/** A patch made small: [32, 32, 3], 8 bits. What it is compared by, and all that has to be kept of it. */
export type Thumbnail = Uint8Array

/**
 * Makes a thumbnail of a patch by averaging, which takes the noise out.
 * @param pixels RGB, 8 bits; the patch [size, size, 3] begins at byte `offset`
 */
export const thumbnailOf = (pixels: Uint8Array, offset: number, size: number): Thumbnail => {
  const thumbnail = new Uint8Array(edge * edge * channels)
  const bounds = Array.from({ length: edge + 1 }, (_, i) => Math.floor((i * size) / edge))
  for (let y = 0; y < edge; y++) {
    for (let x = 0; x < edge; x++) average(pixels, offset, size, bounds, x, y, thumbnail)
  }
  return thumbnail
}

const average = (
  pixels: Uint8Array,
  offset: number,
  size: number,
  bounds: readonly number[],
  x: number,
  y: number,
  thumbnail: Thumbnail,
): void => {
  let [red, green, blue] = [0, 0, 0]
  const [left, right] = [bounds[x]!, Math.max(bounds[x + 1]!, bounds[x]! + 1)]
  const [top, bottom] = [bounds[y]!, Math.max(bounds[y + 1]!, bounds[y]! + 1)]
  for (let row = top; row < bottom; row++) {
    const end = offset + (row * size + right) * channels
    for (let at = offset + (row * size + left) * channels; at < end; at += channels) {
      red += pixels[at]!
      green += pixels[at + 1]!
      blue += pixels[at + 2]!
    }
  }
  const count = (right - left) * (bottom - top)
  const to = (y * edge + x) * channels
  thumbnail[to] = Math.round(red / count)
  thumbnail[to + 1] = Math.round(green / count)
  thumbnail[to + 2] = Math.round(blue / count)
}

/** Levels (0–255) by which a picture of one colour may vary, as its compression makes it. */
const flatLevels = 8

/** Whether a patch shows one colour and nothing else: black, white, or a filter's blue. What does looks like any other. */
export const isFlat = (thumbnail: Thumbnail): boolean => {
  for (let channel = 0; channel < channels; channel++) {
    let [sum, squares, count] = [0, 0, 0]
    for (let i = channel; i < thumbnail.length; i += channels) {
      sum += thumbnail[i]!
      squares += thumbnail[i]! ** 2
      count++
    }
    if (squares / count - (sum / count) ** 2 > flatLevels ** 2) return false
  }
  return true
}

/** Edge of the blocks in which something small may change, in pixels of the thumbnail: an eighth of the patch. */
const blockEdge = 4

/**
 * How much more one block may differ than the whole patch: a person far away is a change, though the mean hardly moves.
 * With four, no fewer than five of six patches that a mean alone would pass over are passed over still.
 */
const localRatio = 4

/**
 * How different two patches look, in levels (0–255), once a common shift in brightness of up to {@link flickerLevels} is
 * taken out: the mean absolute difference of their thumbnails, or that of the block that differs most over
 * {@link localRatio}, whichever is more.
 */
export const differenceOf = (a: Thumbnail, b: Thumbnail): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! - b[i]!
  const shift = Math.max(-flickerLevels, Math.min(flickerLevels, sum / a.length))
  let total = 0
  let worst = 0
  for (let top = 0; top < edge; top += blockEdge) {
    for (let left = 0; left < edge; left += blockEdge) {
      const block = blockDifference(a, b, shift, left, top)
      total += block
      worst = Math.max(worst, block)
    }
  }
  const mean = total / a.length
  return Math.max(mean, worst / (blockEdge * blockEdge * channels) / localRatio)
}

const blockDifference = (a: Thumbnail, b: Thumbnail, shift: number, left: number, top: number): number => {
  let difference = 0
  for (let y = top; y < top + blockEdge; y++) {
    const start = (y * edge + left) * channels
    for (let i = start; i < start + blockEdge * channels; i++) difference += Math.abs(a[i]! - b[i]! - shift)
  }
  return difference
}
