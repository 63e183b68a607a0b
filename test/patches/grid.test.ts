import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Grid, layersOf } from '../../src/patches/grid.ts'

/** Each layer as its edge, its columns and its rows. */
const places = (width: number, height: number, grid: Grid = 'high') =>
  layersOf({ width, height }, grid).map(({ edge, squares }) => {
    const starts = (axis: 'x' | 'y') => [...new Set(squares.map((square) => square[axis]))]
    return { edge, columns: starts('x'), rows: starts('y') }
  })

const counts = (width: number, height: number, grid: Grid = 'high') =>
  layersOf({ width, height }, grid).map(({ squares }) => squares.length)

describe('the levels of detail', () => {
  test('of a 1280×720 frame add squares of the full height, of two thirds half overlapping, and of a third', () => {
    const [full, twoThirds, third] = [
      { edge: 720, columns: [0, 560], rows: [0] },
      { edge: 480, columns: [0, 267, 533, 800], rows: [0, 240] },
      { edge: 240, columns: [0, 208, 416, 624, 832, 1040], rows: [0, 240, 480] },
    ]
    expect(places(1280, 720, 'whole')).toEqual([])
    expect(places(1280, 720, 'low')).toEqual([full])
    expect(places(1280, 720, 'normal')).toEqual([full, twoThirds])
    expect(places(1280, 720, 'high')).toEqual([full, twoThirds, third])
  })

  test('of an upright frame go by the width', () => {
    expect(places(720, 1280, 'low')).toEqual([{ edge: 720, columns: [0], rows: [0, 560] }])
  })

  test.each([
    ['16:9', 480, 270, [2, 8, 18]],
    ['16:9 with odd sides', 1366, 768, [2, 8, 18]],
    ['16:9', 3840, 2160, [2, 8, 18]],
    ['nearly 17:9, with sides that are no multiple of three', 962, 506, [2, 10, 18]],
    ['9:16', 1080, 1920, [2, 8, 18]],
    ['4:3', 960, 720, [2, 6, 12]],
    ['21:9', 1680, 720, [3, 12, 21]],
    // The square of the full height is the frame itself.
    ['1:1', 500, 500, [4, 9]],
    ['24:1', 24, 1, [24, 47, 24]],
    ['beyond 24:1', 241, 10, []],
    ['one pixel', 1, 1, []],
  ])('of a frame of %s (%i×%i) add %j squares', (_, width, height, squares) => {
    expect(counts(width, height)).toEqual(squares)
  })

  test('count on from level to level, in reading order', () => {
    const squares = layersOf({ width: 1280, height: 720 }, 'high').flatMap((layer) => layer.squares)
    expect(squares.map(({ number }) => number)).toEqual(Array.from({ length: 28 }, (_, i) => 1 + i))
    expect(squares[2]).toEqual({ number: 3, x: 0, y: 0 })
    expect(squares[6]).toEqual({ number: 7, x: 0, y: 240 })
  })
})

describe('the article’s grid', () => {
  test('of a 1280×720 frame is 3 × 6 squares, and leaves the last 20 columns unseen', () => {
    expect(places(1280, 720, 'article')).toEqual([
      { edge: 360, columns: [0, 180, 360, 540, 720, 900], rows: [0, 180, 360] },
    ])
  })

  test('keeps to 360 px in larger frames, and to the shorter side in smaller ones', () => {
    expect(counts(1920, 1080, 'article')).toEqual([45])
    expect(places(501, 201, 'article')).toEqual([{ edge: 201, columns: [0, 100, 200, 300], rows: [0] }])
    expect(places(1, 1, 'article')).toEqual([{ edge: 1, columns: [0], rows: [0] }])
  })
})

test('whatever the frame, each layer covers every pixel and stays inside', () => {
  const side = fc.integer({ min: 1, max: 200 })
  fc.assert(
    fc.property(side, side, (width, height) => {
      for (const { edge, squares } of layersOf({ width, height }, 'high')) {
        const seen = new Uint8Array(width * height)
        for (const { x, y } of squares) {
          expect(Math.min(x, y, width - edge - x, height - edge - y)).toBeGreaterThanOrEqual(0)
          for (let row = y; row < y + edge; row++) seen.fill(1, row * width + x, row * width + x + edge)
        }
        expect(seen.includes(0)).toBe(false)
      }
    }),
    { numRuns: 200 },
  )
})
