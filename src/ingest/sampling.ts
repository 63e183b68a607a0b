import { UsageError } from '../errors.ts'
import { checkDetail, defaultDetail, details, type Grid } from '../patches/grid.ts'
import type { Detail, VideoRecord } from '../store/store.ts'
import type { DecodedFrames } from '../video/video.ts'

/** Seconds between sampled frames: the article's figure. */
export const defaultEverySeconds = 1

/** What changes the points of a video: other settings mean other points. */
export type SamplingSettings = {
  /** Seconds between sampled frames, 0 for all of them. */
  readonly everySeconds: number
  /** Which frames may be sampled. */
  readonly decode: DecodedFrames
  readonly grid: Grid
  /** How far a patch may differ from what was encoded before it counts as changed, in levels (0–255); 0: at once. */
  readonly tolerance: number
}

/** What a caller may leave out. */
export type SamplingOptions = {
  /**
   * Which patches of a frame are stored. Each level adds some to the one before: a video that has less is added to, one
   * that has more is left as it is. @default 'normal'
   */
  readonly detail?: Detail
  /** The article's squares of 360 px instead, half a square apart: no whole frame, and the edges may stay unseen. */
  readonly grid?: 'article'
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
  const { everySeconds = defaultEverySeconds, decode = 'references', tolerance = defaultTolerance } = options
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
  return { everySeconds, decode, grid: gridOf(options), tolerance }
}

const gridOf = ({ detail, grid }: SamplingOptions): Grid => {
  if (detail !== undefined) checkDetail(detail)
  if (grid === undefined) return detail ?? defaultDetail
  if (grid === 'article' && detail === undefined) return grid
  throw new UsageError(
    `Expected a level of detail or the grid "article", got ${detail === undefined ? `the grid "${grid}"` : 'both'}`,
    { remedy: 'Leave --grid out' },
  )
}

/**
 * The levels of detail up to the one asked for, from coarse to fine.
 * @throws UsageError for a grid without levels
 */
export const levelsUpTo = (grid: Grid): readonly Detail[] => {
  if (grid !== 'article') return details.slice(0, details.indexOf(grid) + 1)
  throw new UsageError('Expected a grid with levels of detail, got article', { remedy: 'Leave out --coarse' })
}

/** What a record says of the settings that its points were made with. */
export type MadeWith = Pick<VideoRecord, 'settings' | 'detail'>

/** One line that two runs with the same settings share, and the level. What is not said is done: all frames, every patch. */
export const madeWith = ({ everySeconds, decode, grid, tolerance }: SamplingSettings): MadeWith => ({
  settings: [
    `every=${everySeconds}`,
    grid === 'article' ? 'grid=article' : levels,
    ...(decode === 'all' ? [] : [`decode=${decode}`]),
    ...(tolerance === 0 ? [] : [`tolerance=${tolerance}`]),
  ].join(' '),
  detail: grid === 'article' ? undefined : grid,
})

const levels = 'grid=levels'

/** What earlier versions cut by default: as fine as `normal`, and twice as many. Their numbers mean other squares. */
const halves = 'grid=patches patch=0.5 step=0.5'

/** Whether stored points leave nothing to add: the same settings, and at least the detail. */
export const covers = (stored: MadeWith, wanted: MadeWith): boolean =>
  (stored.settings === wanted.settings && !isFiner(wanted, stored)) ||
  (stored.settings === wanted.settings.replace(levels, halves) && !isFiner(wanted, { detail: 'normal' }))

export const isFiner = (a: Pick<MadeWith, 'detail'>, b: Pick<MadeWith, 'detail'>): boolean =>
  details.indexOf(a.detail!) > details.indexOf(b.detail!)

/**
 * The settings to make a video's points with again; the default ones for a record without any.
 * @throws UsageError if they are none that this version knows
 */
export const settingsOf = ({ settings: line, detail }: MadeWith): SamplingSettings => {
  if (line === '') return samplingSettings({})
  const {
    every,
    grid,
    decode = 'all',
    tolerance = '0',
  } = Object.fromEntries(line.split(' ').map((part) => part.split('=')))
  const settings: SamplingSettings = {
    everySeconds: Number(every),
    decode: decode as DecodedFrames,
    grid: grid === 'article' || grid === 'whole' ? grid : (detail ?? defaultDetail),
    tolerance: Number(tolerance),
  }
  // Squares of earlier versions, which could be of any size.
  const now = line.replace(/grid=(whole|patches patch=\S+ step=\S+)/, levels)
  if (decode in isKnown && madeWith(settings).settings === now) return settings
  throw new UsageError(`Expected the settings of a video that this version knows, got "${line}"`, {
    remedy: 'Install the newest vidgrep: npm install -g vidgrep',
  })
}

const isKnown: Readonly<Record<DecodedFrames, true>> = { all: true, references: true, keys: true }
