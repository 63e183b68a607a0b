import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import {
  defaultGridSettings,
  type GridSettings,
  gridFor,
  gridSettings,
  gridSettingsLine,
} from '../../src/patches/grid.ts'

const places = (width: number, height: number, settings: Partial<GridSettings> = {}) => {
  const { areas } = gridFor({ width, height }, gridSettings(settings))
  const squares = areas.filter(({ number }) => number > 0)
  return {
    numbers: areas.map(({ number }) => number),
    columns: [...new Set(squares.map(({ x }) => x))],
    rows: [...new Set(squares.map(({ y }) => y))],
    edges: [...new Set(squares.flatMap((square) => [square.width, square.height]))],
  }
}

const upTo = (n: number) => Array.from({ length: n + 1 }, (_, i) => i)

describe('the default grid', () => {
  test('of a 1280×720 frame is the whole frame and 3 × 6 squares, the last column moved to the edge', () => {
    expect(places(1280, 720)).toEqual({
      numbers: upTo(18),
      columns: [0, 180, 360, 540, 720, 920],
      rows: [0, 180, 360],
      edges: [360],
    })
  })

  test('of an upright frame goes by the width', () => {
    expect(places(720, 1280)).toMatchObject({ columns: [0, 180, 360], rows: [0, 180, 360, 540, 720, 920] })
  })

  test('of a 4:3 frame reaches the edge too', () => {
    expect(places(640, 480)).toEqual({
      numbers: upTo(12),
      columns: [0, 120, 240, 400],
      rows: [0, 120, 240],
      edges: [240],
    })
  })

  test.each([
    [480, 270],
    [854, 480],
    [1366, 768],
    [1920, 1080],
    [3840, 2160],
  ])('of a 16:9 frame is 3 × 6 squares at %i×%i too, however the halves round', (width, height) => {
    expect(places(width, height).numbers).toEqual(upTo(18))
  })

  test('of a side that does not halve still has three rows, from 12 px on', () => {
    for (let height = 12; height < 300; height++) expect(places(2 * height, height).rows).toHaveLength(3)
  })

  test('of a third is a third, although 1/3 is not', () => {
    expect(places(1280, 720, { patch: 1 / 3 }).edges).toEqual([240])
  })

  test('of a square frame is 3 × 3', () => {
    expect(places(500, 500)).toMatchObject({ numbers: upTo(9), columns: [0, 125, 250], rows: [0, 125, 250] })
  })

  test.each([
    [16, 16, 9, 8],
    [3, 3, 9, 1],
    [2, 2, 4, 1],
    [2, 1, 2, 1],
    [24, 1, 24, 1],
  ])('of a tiny %i×%i frame is the whole frame and %i squares of %i px', (width, height, squares, edge) => {
    expect(places(width, height)).toMatchObject({ numbers: upTo(squares), edges: [edge] })
  })

  test('of a single pixel is the pixel once', () => {
    expect(places(1, 1).numbers).toEqual([0])
  })

  test('of a frame more oblong than 24:1 is the whole frame alone', () => {
    expect(places(241, 10).numbers).toEqual([0])
    expect(places(10, 4000).numbers).toEqual([0])
    expect(places(240, 10)).toMatchObject({ edges: [10] })
  })

  test('does not hold the whole frame twice when a square fills it', () => {
    expect(places(360, 360, { patch: 1 }).numbers).toEqual([0])
    expect(places(361, 360, { patch: 1 })).toMatchObject({ columns: [0, 1], rows: [0], edges: [360] })
  })

  test('gets one more column where moving the last one would open a gap', () => {
    expect(places(1000, 400, { patch: 0.5, step: 1 })).toMatchObject({
      columns: [0, 200, 400, 600, 800],
      rows: [0, 200],
    })
    expect(places(900, 400, { patch: 0.5, step: 1 })).toMatchObject({
      columns: [0, 200, 400, 600, 700],
      rows: [0, 200],
    })
    expect(places(500, 400, { patch: 1, step: 0.5 })).toMatchObject({ columns: [0, 100], rows: [0] })
  })

  test('raises squares that would be under a 24th of the longer side', () => {
    expect(places(1280, 720, { patch: 0.01, step: 1 }).edges).toEqual([54])
  })
})

describe('the article’s grid', () => {
  test('of a 1280×720 frame is 3 × 6 squares without the whole frame, and leaves the last 20 columns unseen', () => {
    expect(places(1280, 720, { grid: 'article' })).toEqual({
      numbers: upTo(18).slice(1),
      columns: [0, 180, 360, 540, 720, 900],
      rows: [0, 180, 360],
      edges: [360],
    })
  })

  test('keeps to 360 px in larger frames, and to the shorter side in smaller ones', () => {
    expect(places(1920, 1080, { grid: 'article' })).toMatchObject({ numbers: upTo(45).slice(1), edges: [360] })
    expect(places(501, 201, { grid: 'article' })).toMatchObject({
      columns: [0, 100, 200, 300],
      rows: [0],
      edges: [201],
    })
    expect(places(1, 1, { grid: 'article' })).toEqual({ numbers: [1], columns: [0], rows: [0], edges: [1] })
  })

  test('pays no heed to --patch and --step', () => {
    expect(places(1280, 720, { grid: 'article', patch: 0.1, step: 1 })).toEqual(places(1280, 720, { grid: 'article' }))
  })
})

test('the grid of the whole frame is that alone', () => {
  expect(gridFor({ width: 1280, height: 720 }, gridSettings({ grid: 'whole' })).areas).toEqual([
    { number: 0, x: 0, y: 0, width: 1280, height: 720 },
  ])
})

describe('settings', () => {
  test('are the defaults where nothing is given', () => {
    expect(gridSettings()).toEqual(defaultGridSettings)
    expect(gridSettings({ step: 0.25 })).toEqual({ grid: 'patches', patch: 0.5, step: 0.25 })
  })

  test.each([
    { patch: 0 },
    { patch: 1.01 },
    { patch: Number.NaN },
    { step: 0 },
    { step: -0.5 },
    { step: Number.POSITIVE_INFINITY },
    { grid: 'fine' as 'whole' },
  ])('refuse %o', (given) => {
    expect(() => gridSettings(given)).toThrow(UsageError)
    expect(() => gridFor({ width: 64, height: 64 }, { ...defaultGridSettings, ...given })).toThrow(UsageError)
  })

  test('refuse a step so fine that a frame has more than 4096 patches', () => {
    expect(() => places(1280, 720, { step: 0.001 })).toThrow('Expected a grid of at most 4096 patches a frame, got')
  })

  test('make one line that tells grids apart and no more', () => {
    expect(gridSettingsLine(gridSettings())).toBe('grid=patches patch=0.5 step=0.5')
    expect(gridSettingsLine(gridSettings({ grid: 'article', step: 0.3 }))).toBe('grid=article')
    expect(gridSettingsLine(gridSettings({ grid: 'whole', patch: 0.3 }))).toBe('grid=whole')
  })
})

const frameSize = fc.record({ width: fc.integer({ min: 1, max: 200 }), height: fc.integer({ min: 1, max: 200 }) })
const fraction = fc.integer({ min: 1, max: 20 }).map((twentieths) => twentieths / 20)

/** In thousandths first: 0.15 · 20 is 3. */
const down = (length: number): number => Math.floor(Math.round(length * 1000) / 1000)

/** How many squares cover a side, from the distances between them and not from their places. */
const expectedCount = (length: number, edge: number, stride: number): number => {
  const free = length - edge
  if (free === 0) return 1
  const whole = Math.floor(free / stride)
  const rest = free % stride
  if (rest === 0) return whole + 1
  // Moved to the edge, the last square stands `stride + rest` from the one before it.
  return whole > 0 && stride + rest <= edge ? whole + 1 : whole + 2
}

test('whatever the frame and the settings, squares cover every pixel, stay inside, and are as many as computed', () => {
  fc.assert(
    fc.property(frameSize, fraction, fraction, ({ width, height }, patch, step) => {
      fc.pre(Math.max(width, height) <= 24 * Math.min(width, height))
      const settings: GridSettings = { grid: 'patches', patch, step }
      const edge = Math.max(1, down(patch * Math.min(width, height)), Math.ceil(Math.max(width, height) / 24))
      const stride = Math.max(1, down(step * edge))
      fc.pre(edge < width || edge < height)
      const count = expectedCount(width, edge, stride) * expectedCount(height, edge, stride)
      fc.pre(count <= 4096)

      const { areas } = gridFor({ width, height }, settings)
      expect(areas.map(({ number }) => number)).toEqual(upTo(count))
      const seen = new Uint8Array(width * height)
      for (const { x, y, ...size } of areas.slice(1)) {
        const isInside = x >= 0 && y >= 0 && x + edge <= width && y + edge <= height
        if (!isInside || size.width !== edge || size.height !== edge) expect({ x, y, ...size }).toBe('inside')
        for (let row = y; row < y + edge; row++) seen.fill(1, row * width + x, row * width + x + edge)
      }
      expect(seen.includes(0)).toBe(false)
    }),
    { numRuns: 150 },
  )
})

test('whatever the frame, squares come in reading order, each in its own place', () => {
  fc.assert(
    fc.property(frameSize, fraction, fc.constantFrom('patches', 'article'), ({ width, height }, step, grid) => {
      const edge = Math.max(1, down(Math.min(width, height) / 2), Math.ceil(Math.max(width, height) / 24))
      const stride = Math.max(1, down(step * edge))
      fc.pre(expectedCount(width, edge, stride) * expectedCount(height, edge, stride) <= 4096)
      const squares = gridFor({ width, height }, { grid: grid as 'patches', patch: 0.5, step }).areas.filter(
        (a) => a.number,
      )
      for (const [i, square] of squares.entries()) {
        const before = squares[i - 1]
        if (before) expect(square.y > before.y || (square.y === before.y && square.x > before.x)).toBe(true)
      }
    }),
  )
})
