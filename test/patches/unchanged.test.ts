import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { differenceOf, isFlat, thumbnailOf } from '../../src/patches/unchanged.ts'

const size = 224

const patch = (level: (x: number, y: number, channel: number) => number): Uint8Array =>
  Uint8Array.from({ length: size * size * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3)
    return Math.max(0, Math.min(255, Math.round(level(pixel % size, Math.floor(pixel / size), i % 3))))
  })

const scene = (x: number, y: number, channel: number): number => 128 + 60 * Math.sin(x / 9 + channel) * Math.cos(y / 13)

const difference = (a: Uint8Array, b: Uint8Array): number =>
  differenceOf(thumbnailOf(a, 0, size), thumbnailOf(b, 0, size))

/** Even noise of so many levels, the same at each call. */
const noise = (levels: number) => (x: number, y: number, channel: number) =>
  (((x * 7919 + y * 104_729 + channel * 31) % 101) / 50 - 1) * levels

describe('a thumbnail', () => {
  it.each([224, 256, 288, 336, 32, 33, 20, 1])('of a patch of %i pixels averages what it covers', (edge) => {
    const pixels = Uint8Array.from({ length: edge * edge * 3 }, (_, i) => [200, 100, 50][i % 3]!)
    const thumbnail = thumbnailOf(pixels, 0, edge)
    expect(thumbnail).toHaveLength(32 * 32 * 3)
    expect([...new Set(thumbnail)].sort()).toEqual([100, 200, 50])
  })

  it('is taken from where the patch lies in a batch', () => {
    const two = new Uint8Array(2 * size * size * 3)
    two.set(patch(scene), size * size * 3)
    expect(thumbnailOf(two, size * size * 3, size)).toEqual(thumbnailOf(patch(scene), 0, size))
    expect(thumbnailOf(two, 0, size).every((level) => level === 0)).toBe(true)
  })
})

describe('the difference of two patches', () => {
  it('is 0 for the same picture, and next to nothing for a noisy copy', () => {
    expect(difference(patch(scene), patch(scene))).toBe(0)
    expect(
      difference(
        patch(scene),
        patch((x, y, c) => scene(x, y, c) + noise(12)(x, y, c)),
      ),
    ).toBeLessThan(1.5)
  })

  it('forgives the flicker of a lamp, not a change of light', () => {
    expect(
      difference(
        patch(scene),
        patch((x, y, c) => scene(x, y, c) + 3),
      ),
    ).toBeLessThan(0.5)
    expect(
      difference(
        patch(scene),
        patch((x, y, c) => scene(x, y, c) + 20),
      ),
    ).toBeGreaterThan(10)
  })

  it('sees something small that comes in', () => {
    const ball = (x: number, y: number, c: number) => ((x - 112) ** 2 + (y - 112) ** 2 < 30 ** 2 ? 250 : scene(x, y, c))
    expect(difference(patch(scene), patch(ball))).toBeGreaterThan(4)
  })

  it('sees also what is a hundredth of the patch, if it stands out', () => {
    const someone = (x: number, y: number, c: number) =>
      Math.abs(x - 40) < 12 && Math.abs(y - 180) < 14 ? 10 : scene(x, y, c)
    const [before, after] = [patch(scene), patch(someone)]
    expect(difference(before, after)).toBeGreaterThan(6)
    expect(before.filter((level, i) => level !== after[i]).length / before.length).toBeLessThan(0.015)
  })

  it('adds up along a slow drift, as it is taken from one end to the other', () => {
    const drifted = (step: number) => patch((x, y, c) => scene(x + step, y, c))
    expect(difference(drifted(0), drifted(0.3))).toBeLessThan(2)
    expect(difference(drifted(0), drifted(20))).toBeGreaterThan(10)
  })

  it('is the same both ways and never negative', () => {
    const thumbnail = fc.uint8Array({ minLength: 32 * 32 * 3, maxLength: 32 * 32 * 3 })
    fc.assert(
      fc.property(thumbnail, thumbnail, (a, b) => {
        expect(differenceOf(a, b)).toBeCloseTo(differenceOf(b, a), 9)
        expect(differenceOf(a, b)).toBeGreaterThanOrEqual(0)
        expect(differenceOf(a, a)).toBe(0)
      }),
      { numRuns: 25 },
    )
  })
})

describe('a patch of one colour', () => {
  const isFlatPatch = (pixels: Uint8Array): boolean => isFlat(thumbnailOf(pixels, 0, size))

  it.each([
    ['black', () => 0],
    ['black with the noise of its compression', noise(12)],
    ['blue', (_x: number, _y: number, channel: number) => (channel === 2 ? 220 : 30)],
  ])('is flat: %s', (_, level) => expect(isFlatPatch(patch(level))).toBe(true))

  it.each([
    ['a scene', scene],
    ['a title on black', (x: number, y: number) => (Math.abs(y - 112) < 12 && x > 40 && x < 180 ? 255 : 0)],
    ['a sky from light to dark', (_x: number, y: number) => 100 + y / 4],
  ])('is not flat: %s', (_, level) => expect(isFlatPatch(patch(level))).toBe(false))
})
