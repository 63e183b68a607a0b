import sharp, { type OverlayOptions, type Sharp } from 'sharp'
import type { Picture } from '../video/video.ts'
import { colours, fromPicture } from './box.ts'
import { renderLine } from './text.ts'

export type MapEntry = {
  /** From the left and from the top, 0 to 1. */
  readonly x: number
  readonly y: number
  /** The displayed frame, in any size. */
  readonly picture: Picture
}

/** In pixels. */
const cell = { width: 160, height: 90 }
const gap = 6
const margin = 32
const titleHeight = 56

/** Cells for each picture: with fewer they would all touch each other, with more they would be far apart. */
const roominess = 1.8

/**
 * Draws frames where they lie on a map, each in the nearest cell that is free, so that none hides another.
 *
 * @param title one line
 * @returns an image to be written in any format
 */
export const drawMap = async (title: string, entries: readonly MapEntry[]): Promise<Sharp> => {
  const cells = Math.max(1, Math.ceil(entries.length * roominess))
  const columns = Math.ceil(Math.sqrt(cells))
  const rows = Math.ceil(cells / columns)
  const width = 2 * margin + columns * (cell.width + gap) - gap
  const height = 2 * margin + titleHeight + rows * (cell.height + gap) - gap
  const line = await renderLine(title, { size: 24, weight: 'bold', colour: colours.text }, width - 2 * margin)
  const layers: OverlayOptions[] = line ? [{ input: line.png, left: margin, top: margin }] : []
  const free = new Set(Array.from({ length: columns * rows }, (_, i) => i))
  for (const { x, y, picture } of entries) {
    const distance = (at: number): number =>
      ((at % columns) - x * (columns - 1)) ** 2 + (Math.floor(at / columns) - y * (rows - 1)) ** 2
    const nearest = [...free].reduce((best, at) => (distance(at) < distance(best) ? at : best))
    free.delete(nearest)
    layers.push({
      input: await fromPicture(picture)
        .resize({ ...cell, fit: 'contain', background: colours.panel })
        .png()
        .toBuffer(),
      left: margin + (nearest % columns) * (cell.width + gap),
      top: margin + titleHeight + Math.floor(nearest / columns) * (cell.height + gap),
    })
  }
  return sharp(
    await sharp({ create: { width, height, channels: 3, background: colours.page } })
      .composite(layers)
      .png()
      .toBuffer(),
  )
}
