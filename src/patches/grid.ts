import { UsageError } from '../errors.ts'
import type { Box } from '../store/store.ts'

/** How a frame is cut: into half-frame squares, exactly as the article did it, or not at all. */
export type GridKind = 'patches' | 'article' | 'whole'

export type GridSettings = {
  /**
   * - `patches`: patch 0 is the whole frame, then squares in reading order that together cover every pixel.
   * - `article`: squares of 360 px (of the shorter side where that is smaller), half a square apart, as many as fit: no
   *   whole frame, and a strip at the right and at the bottom may stay unseen.
   * - `whole`: the whole frame alone.
   *
   * @default 'patches'
   */
  readonly grid: GridKind
  /**
   * Edge of a patch as a fraction (above 0, at most 1) of the displayed frame's shorter side. `patches` only.
   *
   * @default 0.5
   */
  readonly patch: number
  /**
   * Distance between neighbouring patches as a fraction (above 0, at most 1) of a patch's edge. `patches` only.
   *
   * @default 0.5
   */
  readonly step: number
}

export const defaultGridSettings: GridSettings = { grid: 'patches', patch: 0.5, step: 0.5 }

/** A rectangle of the displayed frame, in whole pixels. */
export type PatchArea = {
  /** 0 is the whole frame, in every grid; the squares count from 1 in reading order. */
  readonly number: number
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export type PatchGrid = {
  /** Size of the displayed frame in pixels. */
  readonly width: number
  readonly height: number
  /** Edge of the squares in displayed pixels; `undefined` when there are none. */
  readonly edge: number | undefined
  /** By number. Never empty. */
  readonly areas: readonly PatchArea[]
}

/** Edge of the article's squares in pixels: half of 720. */
const articleEdge = 360

/**
 * Most squares, edge to edge, along the longer side: the frame is scaled until a square fills the model's input, so at
 * this limit it is already 24 inputs wide (87 MB at 224 px). Smaller `patch` settings are raised to it; frames more
 * oblong than 24:1 have no squares, only the whole frame.
 */
const maximumSquaresAlong = 24

/** More than any frame has at the smallest square and the default step (47 × 47). */
const maximumPatches = 4096

/**
 * Lays the patch grid over a displayed frame of `width` × `height` pixels.
 *
 * @throws UsageError if a setting is out of range, or so fine that a frame has more than 4096 patches
 */
export const gridFor = ({ width, height }: { width: number; height: number }, settings: GridSettings): PatchGrid => {
  checkGridSettings(settings)
  const whole: PatchArea = { number: 0, x: 0, y: 0, width, height }
  const edge = edgeFor(width, height, settings)
  if (edge === undefined || (settings.grid === 'patches' && edge === width && edge === height)) {
    return { width, height, edge: undefined, areas: [whole] }
  }
  const squares = squaresFor(width, height, edge, settings)
  return { width, height, edge, areas: settings.grid === 'article' ? squares : [whole, ...squares] }
}

/**
 * Fills in the defaults and checks the ranges.
 *
 * @throws UsageError
 */
export const gridSettings = (given: Partial<GridSettings> = {}): GridSettings => {
  const settings: GridSettings = {
    grid: given.grid ?? defaultGridSettings.grid,
    patch: given.patch ?? defaultGridSettings.patch,
    step: given.step ?? defaultGridSettings.step,
  }
  checkGridSettings(settings)
  return settings
}

/** The settings that matter, in one line that is the same exactly when the grid is the same. */
export const gridSettingsLine = ({ grid, patch, step }: GridSettings): string =>
  grid === 'patches' ? `grid=patches patch=${patch} step=${step}` : `grid=${grid}`

const checkGridSettings = ({ grid, patch, step }: GridSettings): void => {
  if (grid !== 'patches' && grid !== 'article' && grid !== 'whole') {
    throw new UsageError(`Expected the grid to be patches, article or whole, got "${grid}"`, {
      remedy: 'Leave --grid out for patches that cover the whole frame',
    })
  }
  checkFraction('patch', patch, 'half of the frame’s shorter side')
  checkFraction('step', step, 'half of a patch')
}

const checkFraction = (name: string, value: number, half: string): void => {
  if (!(value > 0 && value <= 1)) {
    throw new UsageError(`Expected ${name} to be a fraction above 0 and at most 1, got ${value}`, {
      remedy: `Use --${name} 0.5 for ${half}`,
    })
  }
}

const edgeFor = (width: number, height: number, { grid, patch }: GridSettings): number | undefined => {
  const shorter = Math.min(width, height)
  if (grid === 'whole' || isTooOblong({ width, height })) return undefined
  const smallest = Math.ceil(Math.max(width, height) / maximumSquaresAlong)
  return grid === 'article' ? Math.min(articleEdge, shorter) : Math.max(smallest, wholePixels(patch * shorter))
}

const squaresFor = (width: number, height: number, edge: number, { grid, step }: GridSettings): PatchArea[] => {
  const stride = wholePixels(edge * (grid === 'article' ? 0.5 : step))
  const starts = grid === 'article' ? startsThatFit : startsThatCover
  const columns = starts(width, edge, stride)
  const rows = starts(height, edge, stride)
  if (columns.length * rows.length > maximumPatches) {
    throw new UsageError(
      `Expected a grid of at most ${maximumPatches} patches a frame, got ${columns.length * rows.length}`,
      { remedy: 'Use a larger --patch or --step' },
    )
  }
  return rows.flatMap((y, row) =>
    columns.map((x, column) => ({ number: 1 + row * columns.length + column, x, y, width: edge, height: edge })),
  )
}

/**
 * Rounds down, so that an odd length does not lose a row: half-steps of half a side make three rows, whatever the
 * side. What the multiplication itself lost (720 · 0.3333333333333333) does not count.
 */
const wholePixels = (length: number): number => Math.max(1, Math.floor(length + 1e-9))

const startsThatFit = (length: number, edge: number, stride: number): number[] =>
  Array.from({ length: Math.floor((length - edge) / stride) + 1 }, (_, i) => i * stride)

/** The last one is moved on to touch the far edge, or one more is added where the move would open a gap. */
const startsThatCover = (length: number, edge: number, stride: number): number[] => {
  const starts = startsThatFit(length, edge, stride)
  const last = length - edge
  const beforeLast = starts.at(-2)
  const canMove = last === starts.at(-1) || (beforeLast !== undefined && last - beforeLast <= edge)
  return canMove ? [...starts.slice(0, -1), last] : [...starts, last]
}

/** Whether a frame is so long and thin (beyond 24:1) that it is only taken whole. */
export const isTooOblong = ({ width, height }: { width: number; height: number }): boolean =>
  Math.min(width, height) < Math.max(width, height) / maximumSquaresAlong

/** The part of a `width` × `height` picture that a rectangle of its pixels takes up. */
export const boxOf = (
  area: { x: number; y: number; width: number; height: number },
  { width, height }: { width: number; height: number },
): Box => [area.x / width, area.y / height, area.width / width, area.height / height]
