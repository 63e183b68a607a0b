import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { details, type Grid, layersOf } from '../../src/patches/grid.ts'
import { frameView, planPatches } from '../../src/patches/views.ts'
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

const numbers = (patches: readonly { readonly number: number }[]) => patches.map(({ number }) => number)

const upTo = (n: number) => Array.from({ length: n + 1 }, (_, i) => i)

describe('the plan for a 1280×720 video and a model of 224 px', () => {
  const frame = { width: 1280, height: 720 }

  test('that squashes: the frame, and the frame once for each size of squares', () => {
    const { views, patches, patchBytes } = planPatches(frame, 'normal', { size: 224, resize: 'squash' })
    const [full, twoThirds] = [
      { width: 398, height: 224 },
      { width: 597, height: 336 },
    ]
    expect(views).toEqual([full, twoThirds, { width: 224, height: 224 }])
    expect(patchBytes).toBe(224 * 224 * 3)
    expect(numbers(patches)).toEqual(upTo(10))
    expect(patches.slice(0, 5).map(({ box }) => box)).toEqual([
      [0, 0, 1, 1],
      [0, 0, 224 / 398, 1],
      [174 / 398, 0, 224 / 398, 1],
      [0, 0, 224 / 597, 2 / 3],
      [124 / 597, 0, 224 / 597, 2 / 3],
    ])
    expect(patches[10]?.box).toEqual([373 / 597, 112 / 336, 224 / 597, 2 / 3])
  })

  test('that crops: patch 0 says that it is the middle, and two squares show the whole', () => {
    const input = { size: 224, resize: 'edge-crop' } as const
    const { views, patches } = planPatches(frame, 'low', input)
    expect(views).toEqual([{ width: 398, height: 224 }])
    expect(patches.map(({ number, box }) => [number, ...box])).toEqual([
      [0, 87 / 398, 0, 224 / 398, 1],
      [1, 0, 0, 224 / 398, 1],
      [2, 174 / 398, 0, 224 / 398, 1],
    ])
    const whole = planPatches(frame, 'whole', input)
    expect(whole.views).toEqual(views)
    expect(numbers(whole.patches)).toEqual([1, 2])
  })

  test('that crops, where there is nothing to cut off: patch 0 is the frame', () => {
    const { patches } = planPatches({ width: 720, height: 720 }, 'whole', { size: 224, resize: 'edge-crop' })
    expect(patches.map(({ number, box }) => [number, ...box])).toEqual([[0, 0, 0, 1, 1]])
  })
})

test('the article’s plan asks for no whole frame', () => {
  const plan = planPatches({ width: 1280, height: 720 }, 'article', { size: 288, resize: 'edge-crop' })
  expect(plan.views).toEqual([{ width: 1024, height: 576 }])
  expect(numbers(plan.patches)).toEqual(upTo(18).slice(1))
  expect(plan.patches.at(-1)?.box).toEqual([720 / 1024, 0.5, 288 / 1024, 0.5])
})

describe('the view of the frame', () => {
  test('is the plain square for models that squash', () => {
    expect(frameView({ width: 1280, height: 720 }, 224, 'squash')).toEqual({ width: 224, height: 224 })
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
    expect(frameView({ width, height }, size, 'edge-crop')).toEqual(view)
  })

  test('is squashed, not cropped, where a crop would show less than a 24th of it', () => {
    expect(frameView({ width: 4000, height: 16 }, 224, 'edge-crop')).toEqual({ width: 224, height: 224 })
  })
})

const sizes = fc.oneof(
  fc.record({ width: fc.integer({ min: 1, max: 200 }), height: fc.integer({ min: 1, max: 200 }) }),
  fc
    .constantFrom([16, 9], [4, 3], [9, 16], [1, 1], [21, 9], [26, 1])
    .chain(([width, height]) =>
      fc.integer({ min: 1, max: 20 }).map((times) => ({ width: width! * times, height: height! * times })),
    ),
)
const levels = fc.constantFrom(...details)
const grids = fc.oneof(levels, fc.constant<Grid>('article'))
const tower = fc.record({
  size: fc.integer({ min: 1, max: 16 }),
  resize: fc.constantFrom('squash' as const, 'edge-crop' as const),
})

describe('whatever the frame, the grid and the model', () => {
  test('each cut patch equals a plain crop of its view where its box is, at its place in the batch', () => {
    fc.assert(
      fc.property(sizes, grids, tower, (info, grid, { size, resize }) => {
        const { views, patches, patchBytes } = planPatches(info, grid, { size, resize })
        const frame = frameFor(views)
        const batch = new Uint8Array(patchBytes * 3)
        for (const { box, cut } of patches) {
          batch.fill(7)
          cut(frame, batch, patchBytes)
          const isScaledLikeIt = ({ width, height }: View) =>
            Math.round(box[2] * width) === size && Math.round(box[3] * height) === size
          const crops = frame.views
            .filter(isScaledLikeIt)
            .map((view) => naiveCrop(view, Math.round(box[0] * view.width), Math.round(box[1] * view.height), size))
          expect(crops).toContainEqual([...batch.subarray(patchBytes, 2 * patchBytes)])
          expect(batch.subarray(0, patchBytes).every((byte) => byte === 7)).toBe(true)
          expect(batch.subarray(2 * patchBytes).every((byte) => byte === 7)).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('boxes lie within the frame, and within a pixel and a half of the scaled frame of where the grid has them', () => {
    fc.assert(
      fc.property(sizes, grids, tower, (info, grid, { size, resize }) => {
        const { patches } = planPatches(info, grid, { size, resize })
        const squares = new Map(
          layersOf(info, grid).flatMap(({ edge, squares }) =>
            squares.map(({ number, x, y }) => [number, { x, y, edge }]),
          ),
        )
        for (const { number, box } of patches) {
          const [x, y, w, h] = box
          expect(Math.min(x, y, w, h)).toBeGreaterThanOrEqual(0)
          expect(Math.max(x + w, y + h)).toBeLessThanOrEqual(1 + 1e-12)
          const square = squares.get(number)
          if (!square) continue
          const [wide, high] = [(1.5 * w) / size, (1.5 * h) / size]
          expect(Math.abs(x - square.x / info.width)).toBeLessThanOrEqual(wide)
          expect(Math.abs(y - square.y / info.height)).toBeLessThanOrEqual(high)
          expect(Math.abs(x + w - (square.x + square.edge) / info.width)).toBeLessThanOrEqual(wide)
          expect(Math.abs(y + h - (square.y + square.edge) / info.height)).toBeLessThanOrEqual(high)
        }
      }),
    )
  })

  test('at every level of detail the boxes cover every pixel', () => {
    fc.assert(
      fc.property(sizes, levels, tower, (info, grid, { size, resize }) => {
        const { patches } = planPatches(info, grid, { size, resize })
        const seen = new Uint8Array(info.width * info.height)
        for (const { box } of patches) {
          const [x, y, w, h] = box
          // Pixels whose middle lies within.
          const [left, right] = [x, x + w].map((at) => Math.round(at * info.width))
          const [top, bottom] = [y, y + h].map((at) => Math.round(at * info.height))
          for (let row = top!; row < bottom!; row++) seen.fill(1, row * info.width + left!, row * info.width + right!)
        }
        expect(seen.includes(0)).toBe(false)
      }),
    )
  })

  test('each level has the patches of the one before, in their places, and no number twice', () => {
    fc.assert(
      fc.property(sizes, tower, (info, input) => {
        const [whole, low, normal, high] = details.map((detail) => {
          const { patches } = planPatches(info, detail, input)
          expect(numbers(patches)).toEqual([...new Set(numbers(patches))].sort((a, b) => a - b))
          return new Map(patches.map(({ number, box }) => [number, box]))
        })
        for (const [coarse, fine] of [
          [whole!, low!],
          [low!, normal!],
          [normal!, high!],
        ] as const) {
          for (const [number, box] of coarse) expect(fine.get(number)).toEqual(box)
        }
      }),
    )
  })

  test('a view that is cropped holds its crop', () => {
    fc.assert(
      fc.property(sizes, tower, (info, { size }) => {
        const { width, height, crop } = frameView(info, size, 'edge-crop')
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
  const plan = planPatches({ width: 64, height: 36 }, 'normal', { size: 8, resize: 'squash' })
  const last = plan.patches.at(-1)!
  const frame = frameFor(plan.views)

  test('a picture that is smaller than the view asked for', () => {
    const small: Frame = { ...frame, views: frame.views.map(() => picture({ width: 8, height: 8 })) }
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
  const { views, patches, patchBytes } = planPatches({ width: 8, height: 8 }, 'whole', {
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
    const plan = planPatches({ width: 480, height: 270 }, 'normal', { size: 96, resize: 'squash' })
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
  const { views } = planPatches({ width: 1280, height: 720 }, 'normal', tower)
  expect(views.map(({ interpolation }) => interpolation)).toEqual(Array(3).fill('bilinear'))
})
