import { UsageError } from '../errors.ts'
import type { Box, Detail } from '../store/store.ts'

/** What is cut out of a frame: a level of detail, or the article's squares. */
export type Grid = Detail | 'article'

/** From coarse to fine: each level has the patches of the levels before it, with the same numbers and places. */
export const details: readonly Detail[] = ['whole', 'low', 'normal', 'high']

/** See docs/detail.md for what each level finds and costs. */
export const defaultDetail: Detail = 'normal'

/** Squares that lie over a frame: their edge as a fraction of its shorter side, their distance as one of the edge. */
type Squares = { readonly edge: number; readonly step: number }

/** What each level adds to the one before. Their numbers are stored: a change here needs another name for all levels. */
const added: Readonly<Record<Exclude<Detail, 'whole'>, Squares>> = {
  low: { edge: 1, step: 1 },
  normal: { edge: 2 / 3, step: 1 / 2 },
  high: { edge: 1 / 3, step: 1 },
}

/** Edge of the article's squares in pixels, half of 720, and their distance as a fraction of it. */
const article = { edgePixels: 360, step: 1 / 2 }

type Size = { readonly width: number; readonly height: number }

/** A square of the displayed frame, in whole pixels. */
export type Square = {
  /** From 1 on: 0 is the frame itself. */
  readonly number: number
  readonly x: number
  readonly y: number
}

/** Squares of one size, in reading order. */
export type Layer = {
  /** In pixels of the displayed frame. */
  readonly edge: number
  readonly squares: readonly Square[]
}

/**
 * The squares over a displayed frame. Those of a level cover every pixel, each layer by itself; the article's are as many
 * as fit, and may leave a strip at the right and at the bottom. Frames more oblong than 24:1 have none, and a layer of one
 * square that is the frame itself is left out.
 */
export const layersOf = (frame: Size, grid: Grid): readonly Layer[] => {
  if (isTooOblong(frame)) return []
  if (grid === 'article') return [articleLayer(frame)]
  const layers: Layer[] = []
  let first = 1
  for (const detail of details.slice(1, details.indexOf(grid) + 1)) {
    const layer = coveringLayer(frame, added[detail as keyof typeof added], first)
    if (layer.edge === frame.width && layer.edge === frame.height) continue
    layers.push(layer)
    first += layer.squares.length
  }
  return layers
}

/** @throws UsageError if it is no level of detail */
export const checkDetail = (detail: Detail): void => {
  if (details.includes(detail)) return
  throw new UsageError(`Expected a level of detail (${details.join(', ')}), got "${detail}"`, {
    remedy: `Leave it out for ${defaultDetail}`,
  })
}

/**
 * Most squares, edge to edge, along the longer side: the frame is scaled until a square fills the model's input, so at
 * this limit it is already 24 inputs wide (87 MB at 224 px). Smaller squares are made larger; frames more oblong than
 * 24:1 have no squares, only the whole frame.
 */
const maximumSquaresAlong = 24

/** Whether a frame is so long and thin (beyond 24:1) that it is only taken whole. */
export const isTooOblong = ({ width, height }: Size): boolean =>
  Math.min(width, height) < Math.max(width, height) / maximumSquaresAlong

const articleLayer = ({ width, height }: Size): Layer => {
  const edge = Math.min(article.edgePixels, width, height)
  const step = Math.max(1, Math.floor(edge * article.step))
  const startsAlong = (length: number) =>
    Array.from({ length: Math.floor((length - edge) / step) + 1 }, (_, i) => i * step)
  return layerOf(edge, startsAlong(width), startsAlong(height), 1)
}

/** Squares at even distances from edge to edge of the frame: of the step, or as near to it as covers every pixel. */
const coveringLayer = ({ width, height }: Size, squares: Squares, first: number): Layer => {
  // What the multiplication itself lost does not count.
  const wanted = Math.ceil(squares.edge * Math.min(width, height) - 1e-9)
  const edge = Math.max(wanted, Math.ceil(Math.max(width, height) / maximumSquaresAlong))
  const startsAlong = (length: number) => {
    const way = length - edge
    const steps = Math.max(Math.round(way / (edge * squares.step)), Math.ceil(way / edge))
    return Array.from({ length: steps + 1 }, (_, i) => Math.round((i * way) / Math.max(1, steps)))
  }
  return layerOf(edge, startsAlong(width), startsAlong(height), first)
}

const layerOf = (edge: number, columns: readonly number[], rows: readonly number[], first: number): Layer => ({
  edge,
  squares: rows.flatMap((y, row) =>
    columns.map((x, column) => ({ number: first + row * columns.length + column, x, y })),
  ),
})

/** The part of a `width` × `height` picture that a rectangle of its pixels takes up. */
export const boxOf = (area: { x: number; y: number; width: number; height: number }, { width, height }: Size): Box => [
  area.x / width,
  area.y / height,
  area.width / width,
  area.height / height,
]
