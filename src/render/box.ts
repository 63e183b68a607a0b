import sharp, { type OverlayOptions, type Sharp } from 'sharp'
import type { Box } from '../store/store.ts'
import type { Picture } from '../video/video.ts'

/** What pictures show of a moment. Times are seconds from the start of the file, as players count them. */
export type ShownMoment = {
  readonly rank: number
  /** 100 · cosine similarity; scenes have none. */
  readonly score?: number
  /** `false`: shown paler than the others. */
  readonly likely?: boolean
  /** What an export calls it; the query if there is none. */
  readonly name?: string
  readonly path: string
  /** Of the frame that is shown. */
  readonly t: number
  readonly from: number
  readonly to: number
  /** Outlined on the frame. */
  readonly box: Box
}

/** Colour of a moment's box, and of what stands out on the contact sheet. */
export const accentColour = '#ffc53d'

/** Of contact sheets and plots. */
export const colours = { page: '#16181d', panel: '#0b0c0f', text: '#f2f4f8', quiet: '#a3abb8' }

/** How all pictures are written: colour at full resolution, or the thin box would fray. */
export const jpegOptions = { quality: 90, chromaSubsampling: '4:4:4' } as const

/** The picture as sharp's input. */
export const fromPicture = ({ data, width, height }: Picture): Sharp =>
  sharp(data, { raw: { width, height, channels: 3 } })

/**
 * What to lay over a picture of `width` × `height` pixels to show a box: a bright line between two dark ones, so that it
 * is seen on light and on dark, all of it within the box. Nothing where the box is the whole frame.
 */
export const boxOverlay = ({ width, height }: { width: number; height: number }, box: Box): OverlayOptions[] => {
  const [x, y, w, h] = box
  if (x <= 0 && y <= 0 && x + w >= 1 && y + h >= 1) return []
  const line = lineWidth(width, height)
  const inset = line * 1.5
  const place = [
    `x="${x * width + inset}" y="${y * height + inset}"`,
    `width="${Math.max(0, w * width - 2 * inset)}" height="${Math.max(0, h * height - 2 * inset)}" rx="${line}"`,
  ].join(' ')
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" fill="none">
    <rect ${place} stroke="#000000" stroke-opacity="0.75" stroke-width="${3 * line}"/>
    <rect ${place} stroke="${accentColour}" stroke-width="${line}"/></svg>`
  return [{ input: Buffer.from(svg) }]
}

/** Of the bright line in pixels: 2 on a thumbnail, 4 on 720 rows, 6 on 1080. */
const lineWidth = (width: number, height: number): number =>
  Math.min(12, Math.max(Math.min(width, height) < 100 ? 1 : 2, Math.round(Math.min(width, height) / 180)))
