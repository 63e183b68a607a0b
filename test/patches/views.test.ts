import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { gridFor, gridSettings } from '../../src/patches/grid.ts'
import { planPatches, wholeFrameView } from '../../src/patches/views.ts'
import type { Box } from '../../src/store/store.ts'
import type { Frame, Picture, View } from '../../src/video/video.ts'

/** A picture in which no two neighbourhoods look alike. */
const picture = ({ width, height }: { width: number; height: number }, seed = 1): Picture => {
  const data = new Uint8Array(width * height * 3)
  let state = seed
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    data[i] = state >>> 24
  }
  return { width, height, data }
}

/** What a decoder hands out for a view, with noise for a picture. */
const pictureFor = (view: View, seed: number): Picture => picture(view.crop ?? view, seed)

const frameFor = (views: readonly View[]): Frame => ({ timestampSeconds: 0, views: views.map(pictureFor) })

/** Pixel by pixel, the slow and plain way. */
const naiveCrop = ({ width, data }: Picture, x: number, y: number, size: number): number[] => {
  const pixels: number[] = []
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      for (let channel = 0; channel < 3; channel++) pixels.push(data[((y + row) * width + x + column) * 3 + channel]!)
    }
  }
  return pixels
}

describe('the plan for a 1280×720 video and a 224 px model', () => {
  const { views, patches, patchBytes } = planPatches({ width: 1280, height: 720 }, gridSettings(), {
    size: 224,
    resize: 'squash',
  })

  test('asks for the frame squashed and for the frame with squares of 224 px', () => {
    expect(views).toEqual([
      { width: 224, height: 224 },
      { width: 796, height: 448 },
    ])
    expect(patchBytes).toBe(224 * 224 * 3)
  })

  test('has the boxes of what is really cut', () => {
    expect(patches.map(({ number }) => number)).toEqual(Array.from({ length: 19 }, (_, i) => i))
    expect(patches[0]?.box).toEqual([0, 0, 1, 1])
    expect(patches[1]?.box).toEqual([0, 0, 224 / 796, 0.5])
    expect(patches[2]?.box).toEqual([112 / 796, 0, 224 / 796, 0.5])
    expect(patches[18]?.box).toEqual([572 / 796, 0.5, 224 / 796, 0.5])
  })
})

test('the article’s plan asks for no whole frame', () => {
  const plan = planPatches({ width: 1280, height: 720 }, gridSettings({ grid: 'article' }), {
    size: 288,
    resize: 'edge-crop',
  })
  expect(plan.views).toEqual([{ width: 1024, height: 576 }])
  expect(plan.patches).toHaveLength(18)
  expect(plan.patches.at(-1)?.box).toEqual([720 / 1024, 0.5, 288 / 1024, 0.5])
})

describe('the view of the whole frame', () => {
  test('is the plain square for models that squash', () => {
    expect(wholeFrameView({ width: 1280, height: 720 }, 224, 'squash')).toEqual({ width: 224, height: 224 })
  })

  test.each([
    [1280, 720, 224, { width: 398, height: 224, crop: { x: 87, y: 0, width: 224, height: 224 } }],
    [720, 1280, 224, { width: 224, height: 398, crop: { x: 0, y: 87, width: 224, height: 224 } }],
    [640, 480, 288, { width: 384, height: 288, crop: { x: 48, y: 0, width: 288, height: 288 } }],
    // Half pixels of offset go down: 0.5 to 0, 1.5 to 1.
    [225, 224, 224, { width: 225, height: 224, crop: { x: 0, y: 0, width: 224, height: 224 } }],
    [227, 224, 224, { width: 227, height: 224, crop: { x: 1, y: 0, width: 224, height: 224 } }],
    [500, 500, 224, { width: 224, height: 224 }],
  ])('of %i×%i pixels is shortest edge and centre crop for models of %i px that crop', (width, height, size, view) => {
    expect(wholeFrameView({ width, height }, size, 'edge-crop')).toEqual(view)
  })

  test('is squashed, not cropped, where a crop would show less than a 24th of it', () => {
    expect(wholeFrameView({ width: 4000, height: 16 }, 224, 'edge-crop')).toEqual({ width: 224, height: 224 })
  })
})

const sizes = fc.record({ width: fc.integer({ min: 1, max: 200 }), height: fc.integer({ min: 1, max: 200 }) })
const settings = fc
  .record({
    grid: fc.constantFrom('patches' as const, 'article' as const, 'whole' as const),
    patch: fc.integer({ min: 2, max: 10 }).map((tenths) => tenths / 10),
    step: fc.integer({ min: 3, max: 10 }).map((tenths) => tenths / 10),
  })
  .map(gridSettings)
const tower = fc.record({
  size: fc.integer({ min: 1, max: 16 }),
  resize: fc.constantFrom('squash' as const, 'edge-crop' as const),
})

describe('whatever the frame, the grid and the model', () => {
  test('each cut patch equals a plain crop of its view, at its place in the batch and nowhere else', () => {
    fc.assert(
      fc.property(sizes, settings, tower, (info, grid, { size, resize }) => {
        const { views, patches, patchBytes } = planPatches(info, grid, { size, resize })
        const frame = frameFor(views)
        const squares = frame.views.at(-1)!
        const batch = new Uint8Array(patchBytes * 3)
        for (const { number, box, cut } of patches) {
          batch.fill(7)
          cut(frame, batch, patchBytes)
          const source = number === 0 ? frame.views[0]! : squares
          const [x, y] = number === 0 ? [0, 0] : [Math.round(box[0] * source.width), Math.round(box[1] * source.height)]
          expect([...batch.subarray(patchBytes, 2 * patchBytes)]).toEqual(naiveCrop(source, x, y, size))
          expect(batch.subarray(0, patchBytes).every((byte) => byte === 7)).toBe(true)
          expect(batch.subarray(2 * patchBytes).every((byte) => byte === 7)).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('boxes lie within the frame, and within a pixel of the scaled frame of where the grid has them', () => {
    fc.assert(
      fc.property(sizes, settings, tower, (info, grid, { size, resize }) => {
        const { areas } = gridFor(info, grid)
        const { views, patches } = planPatches(info, grid, { size, resize })
        const { width, height } = views.at(-1)!
        expect(patches.map(({ number }) => number)).toEqual(areas.map(({ number }) => number))
        for (const [i, { box }] of patches.entries()) {
          const [x, y, w, h] = box
          const area = areas[i]!
          expect(Math.min(x, y, w, h)).toBeGreaterThanOrEqual(0)
          expect(Math.max(x + w, y + h)).toBeLessThanOrEqual(1 + 1e-12)
          expect(Math.abs(x - area.x / info.width)).toBeLessThanOrEqual(1 / width)
          expect(Math.abs(y - area.y / info.height)).toBeLessThanOrEqual(1 / height)
          expect(Math.abs(x + w - (area.x + area.width) / info.width)).toBeLessThanOrEqual(1 / width)
          expect(Math.abs(y + h - (area.y + area.height) / info.height)).toBeLessThanOrEqual(1 / height)
        }
      }),
    )
  })

  test('the squares that are really cut still cover every pixel', () => {
    fc.assert(
      fc.property(sizes, settings, tower, (info, given, { size, resize }) => {
        const { views, patches } = planPatches(info, { ...given, grid: 'patches' }, { size, resize })
        fc.pre(views.length === 2)
        const { width, height } = views[1]!
        const seen = new Uint8Array(width * height)
        for (const { box } of patches.slice(1)) {
          const x = Math.round(box[0] * width)
          const y = Math.round(box[1] * height)
          for (let row = y; row < y + size; row++) seen.fill(1, row * width + x, row * width + x + size)
        }
        expect(seen.includes(0)).toBe(false)
      }),
    )
  })

  test('a view that is cropped holds its crop', () => {
    fc.assert(
      fc.property(sizes, tower, (info, { size }) => {
        const { width, height, crop } = wholeFrameView(info, size, 'edge-crop')
        const { x, y } = crop ?? { x: 0, y: 0 }
        expect(x).toBeGreaterThanOrEqual(0)
        expect(y).toBeGreaterThanOrEqual(0)
        expect(x + size).toBeLessThanOrEqual(width)
        expect(y + size).toBeLessThanOrEqual(height)
        // The crop is centred to half a pixel.
        expect(Math.abs(width - size - 2 * x)).toBeLessThanOrEqual(1)
        expect(Math.abs(height - size - 2 * y)).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('cutting refuses', () => {
  const plan = planPatches({ width: 64, height: 36 }, gridSettings(), { size: 8, resize: 'squash' })
  const last = plan.patches.at(-1)!
  const frame = frameFor(plan.views)

  test('a picture that is smaller than the view asked for', () => {
    const small: Frame = { ...frame, views: [frame.views[0]!, picture({ width: 8, height: 8 })] }
    expect(() => last.cut(small, new Uint8Array(plan.patchBytes), 0)).toThrow(RangeError)
  })

  test('a frame without the view', () => {
    expect(() => last.cut({ ...frame, views: [frame.views[0]!] }, new Uint8Array(plan.patchBytes), 0)).toThrow(
      'got none',
    )
  })

  test('a batch without room', () => {
    expect(() => last.cut(frame, new Uint8Array(plan.patchBytes), 1)).toThrow(
      'Expected room for 192 bytes at 1, got 191',
    )
  })
})

test('pixels are cut from a picture that lies within a larger buffer', () => {
  const { views, patches, patchBytes } = planPatches({ width: 8, height: 8 }, gridSettings({ grid: 'whole' }), {
    size: 4,
    resize: 'squash',
  })
  const whole = new Uint8Array(200).map((_, i) => i)
  const inside: Picture = { ...views[0]!, data: whole.subarray(100, 148) }
  const target = new Uint8Array(patchBytes)
  patches[0]!.cut({ timestampSeconds: 0, views: [inside] }, target, 0)
  expect(target).toEqual(whole.slice(100, 148))
})

describe('on a real picture', () => {
  const scale = async (view: View): Promise<Picture> => {
    const { width, height, crop } = view
    const scaled = sharp('test/reference/pictures/park.png').removeAlpha().resize(width, height, { fit: 'fill' })
    const cut = crop ? scaled.extract({ left: crop.x, top: crop.y, width: crop.width, height: crop.height }) : scaled
    const { data, info } = await cut.raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data }
  }

  /** Mean absolute difference, of 255, between a patch and what its box holds in the full picture. */
  const distance = async (pixels: Uint8Array, [x, y, w, h]: Box, shift: number): Promise<number> => {
    const [width, height] = [480, 270]
    const area = {
      left: Math.min(width - Math.round(w * width), Math.round(x * width) + shift),
      top: Math.round(y * height),
      width: Math.round(w * width),
      height: Math.round(h * height),
    }
    const expected = await sharp('test/reference/pictures/park.png')
      .removeAlpha()
      .extract(area)
      .resize(96, 96, { fit: 'fill' })
      .raw()
      .toBuffer()
    return pixels.reduce((sum, value, i) => sum + Math.abs(value - expected[i]!), 0) / pixels.length
  }

  test('each patch is what its box shows, and not what lies beside it', async () => {
    const plan = planPatches({ width: 480, height: 270 }, gridSettings(), { size: 96, resize: 'squash' })
    const frame: Frame = { timestampSeconds: 0, views: await Promise.all(plan.views.map(scale)) }
    for (const { number, box, cut } of plan.patches) {
      const pixels = new Uint8Array(plan.patchBytes)
      cut(frame, pixels, 0)
      const here = await distance(pixels, box, 0)
      expect(here).toBeLessThan(8)
      const hasRoomBeside = number > 0 && box[0] + box[2] < 0.9
      if (hasRoomBeside) expect(await distance(pixels, box, 10)).toBeGreaterThan(2 * here)
    }
  })
})

test('every view is scaled as the model was trained: bilinear where that is its rule', () => {
  const tower = { size: 256, resize: 'squash', interpolation: 'bilinear' } as const
  const { views } = planPatches({ width: 1280, height: 720 }, gridSettings(), tower)
  expect(views.map(({ interpolation }) => interpolation)).toEqual(['bilinear', 'bilinear'])
})
