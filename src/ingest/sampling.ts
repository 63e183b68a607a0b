import { UsageError } from '../errors.ts'
import { type GridKind, type GridSettings, gridSettings, gridSettingsLine } from '../patches/grid.ts'
import type { DecodedFrames } from '../video/video.ts'

/** Seconds between sampled frames: the article's figure. */
export const defaultEverySeconds = 1

/** What changes the points of a video: other settings mean other points. */
export type SamplingSettings = {
  /** Seconds between sampled frames, 0 for all of them. */
  readonly everySeconds: number
  /** Which frames may be sampled. */
  readonly decode: DecodedFrames
  readonly grid: GridSettings
  /** How far a patch may differ from what was encoded before it counts as changed, in levels (0–255); 0: at once. */
  readonly tolerance: number
}

/** What a caller may leave out. */
export type SamplingOptions = Partial<GridSettings> & {
  /** Seconds between sampled frames, 0 for all of them. @default 1 */
  readonly everySeconds?: number
  /**
   * - `references`: frames that no other frame refers to are not decoded where frames lie close, which takes half of the
   *   work away; a sample may come some hundredths of a second later than it could.
   * - `all`: every frame is decoded.
   * - `keys`: key frames alone are decoded, several times as fast; they lie up to ten seconds apart in most files.
   *
   * Times are those of the frames themselves in all three. @default 'references'
   */
  readonly decode?: DecodedFrames
  /**
   * How far a patch may differ from what was last encoded, as the mean difference of small thumbnails in levels of 255,
   * and still count as unchanged: it is not encoded again, its point reaches on. 0 encodes every patch. @default 6
   */
  readonly tolerance?: number
}

/** What skips a third to a half of the patches of short, mostly moving clips and does not move recall: docs/reuse.md. */
export const defaultTolerance = 6

/** @throws UsageError if something is out of range */
export const samplingSettings = (options: SamplingOptions): SamplingSettings => {
  const { everySeconds = defaultEverySeconds, decode = 'references', tolerance = defaultTolerance, ...grid } = options
  if (!(everySeconds >= 0 && Number.isFinite(everySeconds))) {
    throw new UsageError(`Expected the seconds between frames to be 0 or more, got ${everySeconds}`, {
      remedy: 'Use --every 1',
    })
  }
  if (!(tolerance >= 0 && tolerance <= 255)) {
    throw new UsageError(`Expected a tolerance of 0 to 255 levels, got ${tolerance}`, {
      remedy: `Leave it out to use ${defaultTolerance}`,
    })
  }
  return { everySeconds, decode, grid: gridSettings(grid), tolerance }
}

/** @throws UsageError if there is no coarse part to begin with */
export const expectWholeFrames = ({ grid: { grid } }: SamplingSettings): void => {
  if (grid === 'patches') return
  throw new UsageError(`Expected a grid of whole frames and squares, got ${grid}`, {
    remedy: 'Leave out --coarse',
  })
}

/** One line that two runs with the same settings share. What is not said is done: all frames, every patch. */
export const settingsLine = ({ everySeconds, decode, grid, tolerance }: SamplingSettings): string =>
  [
    `every=${everySeconds}`,
    gridSettingsLine(grid),
    ...(decode === 'all' ? [] : [`decode=${decode}`]),
    ...(tolerance === 0 ? [] : [`tolerance=${tolerance}`]),
  ].join(' ')

/**
 * The settings that a line was made of.
 * @throws UsageError if they are none that this version knows
 */
export const settingsOfLine = (line: string): SamplingSettings => {
  const parts = Object.fromEntries(line.split(' ').map((part) => part.split('=')))
  const { every, grid, patch, step, decode = 'all', tolerance = '0' } = parts
  const numbers = { ...(patch && { patch: Number(patch) }), ...(step && { step: Number(step) }) }
  const settings: SamplingSettings = {
    everySeconds: Number(every),
    decode: decode as DecodedFrames,
    grid: gridSettings({ grid: grid as GridKind, ...numbers }),
    tolerance: Number(tolerance),
  }
  if (decode in isKnown && settingsLine(settings) === line) return settings
  throw new UsageError(`Expected the settings of a video that this version knows, got "${line}"`, {
    remedy: 'Install the newest vidgrep: npm install -g vidgrep',
  })
}

const isKnown: Readonly<Record<DecodedFrames, true>> = { all: true, references: true, keys: true }
