/**
 * How the coded picture is turned to be displayed, as the signs of a 2 × 2 matrix: the pixel at (p, q) of the coded
 * picture goes to (a·p + c·q, b·p + d·q), the origin moved so that all is visible.
 */
export type Orientation = readonly [a: number, b: number, c: number, d: number]

export const upright: Orientation = [1, 0, 0, 1]

export type DisplaySource = {
  readonly width: number
  readonly height: number
  readonly sample_aspect_ratio?: string
  readonly side_data_list?: readonly { readonly displaymatrix?: string; readonly rotation?: number }[]
  readonly tags?: { readonly rotate?: string }
}

/** From the display matrix (rows of 16.16 numbers), else from the angle alone, else from the tag that old files have. */
export const orientationOf = ({ side_data_list = [], tags = {} }: DisplaySource): Orientation => {
  const sideData = side_data_list.find(({ displaymatrix, rotation }) => displaymatrix ?? rotation !== undefined)
  const rows = sideData?.displaymatrix?.trim().split('\n')
  const numbers = rows?.flatMap((row) =>
    row
      .replace(/^[0-9a-f]+:/i, '')
      .trim()
      .split(/\s+/)
      .map(Number),
  )
  if (numbers?.length === 9) return snapped([numbers[0]!, numbers[1]!, numbers[3]!, numbers[4]!])
  // ffprobe counts the angle of side data anticlockwise, the tag counts clockwise.
  const degrees = sideData?.rotation === undefined ? Number(tags.rotate ?? 0) : -sideData.rotation
  const angle = (degrees * Math.PI) / 180
  return snapped([Math.cos(angle), Math.sin(angle), -Math.sin(angle), Math.cos(angle)])
}

/** The nearest of the eight ways to lay a rectangle; an odd angle or no matrix at all is shown as it is coded. */
const snapped = ([a, b, c, d]: Orientation): Orientation => {
  const straight = Math.abs(a) > Math.abs(b) && Math.abs(d) > Math.abs(c)
  const sideways = Math.abs(b) > Math.abs(a) && Math.abs(c) > Math.abs(d)
  if (straight) return [Math.sign(a), 0, 0, Math.sign(d)]
  return sideways ? [0, Math.sign(b), Math.sign(c), 0] : upright
}

export const isSideways = ([, b]: Orientation): boolean => b !== 0

/** Size in displayed pixels: the coded height stays, the width takes the pixel aspect ratio, then both turn. */
export const displaySize = (source: DisplaySource, orientation: Orientation): { width: number; height: number } => {
  const [x = 1, y = 1] = (source.sample_aspect_ratio ?? '1:1').split(':').map(Number)
  const aspect = x > 0 && y > 0 ? x / y : 1
  const width = Math.max(1, Math.round(source.width * aspect))
  return isSideways(orientation) ? { width: source.height, height: width } : { width, height: source.height }
}

/** ffmpeg's filters that turn a coded picture for display. */
export const turnFilters = ([a, b, c, d]: Orientation): readonly string[] => {
  if (b !== 0) return [`transpose=${b > 0 ? (c < 0 ? 'clock' : 'cclock_flip') : c < 0 ? 'clock_flip' : 'cclock'}`]
  return [...(a < 0 ? ['hflip'] : []), ...(d < 0 ? ['vflip'] : [])]
}
