import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { drawMoment, pictureName } from '../../src/render/pictures.ts'
import type { Box } from '../../src/store/store.ts'
import type { Picture } from '../../src/video/video.ts'

const plain = (width: number, height: number, grey: number): Picture => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(grey),
})

type Pixels = { width: number; height: number; at: (x: number, y: number) => [number, number, number] }

const decode = async (jpeg: Buffer): Promise<Pixels> => {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true })
  const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3).subarray(0, 3)] as never
  return { width: info.width, height: info.height, at }
}

const isAccent = ([red, green, blue]: readonly number[]) => red! > 200 && green! > 150 && blue! < 120
const isDark = (pixel: readonly number[]) => Math.max(...pixel) < 110

const count = ({ width, height, at }: Pixels, is: (pixel: readonly number[]) => boolean): number => {
  let found = 0
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) if (is(at(x, y))) found++
  return found
}

describe('a moment’s picture', () => {
  const box: Box = [0.25, 0.5, 0.5, 0.25]

  test.each([
    ['white', 255],
    ['black', 0],
    ['grey', 128],
  ])('shows its box on %s: a bright line between two dark ones', async (_, grey) => {
    const pixels = await decode(await drawMoment(plain(720, 720, grey), { box }))
    expect([pixels.width, pixels.height]).toEqual([720, 720])
    // The bright line is 4 px wide and so are the dark ones: 180 dark, 184 bright, 188 dark, 192 the picture.
    for (const [x, y] of [
      [182, 450],
      [537, 450],
      [360, 362],
      [360, 537],
    ] as const) {
      expect(isDark(pixels.at(x, y))).toBe(true)
    }
    for (const [x, y] of [
      [186, 450],
      [533, 450],
      [360, 366],
      [360, 533],
    ] as const) {
      expect(isAccent(pixels.at(x, y))).toBe(true)
    }
    for (const [x, y] of [
      [172, 450],
      [200, 450],
      [360, 450],
      [548, 450],
      [360, 548],
    ] as const) {
      for (const channel of pixels.at(x, y)) expect(Math.abs(channel - grey)).toBeLessThan(8)
    }
  })

  test('has no box where that is the whole frame', async () => {
    expect(count(await decode(await drawMoment(plain(64, 64, 255), { box: [0, 0, 1, 1] })), isDark)).toBe(0)
    expect(count(await decode(await drawMoment(plain(64, 64, 255), { box: [0, 0, 0.5, 1] })), isDark)).not.toBe(0)
  })

  test.each([
    [1, 1],
    [2, 90],
    [16, 16],
    [3000, 2],
  ])('can be as small as %i×%i', async (width, height) => {
    const pixels = await decode(await drawMoment(plain(width, height, 128), { box: [0, 0, 0.5, 0.5] }))
    expect([pixels.width, pixels.height]).toEqual([width, height])
  })
})

describe('the name of a moment’s picture', () => {
  const named = (path: string) => pictureName({ rank: 1, score: 37.418, path, t: 12.345 })

  test('has rank, score, the video’s name and the time', () => {
    expect(named('/videos/holiday.mp4')).toBe('01_37.42_holiday_00-00-12.345.jpg')
    expect(pictureName({ rank: 120, score: -3, path: '/x', t: 3661 })).toBe('120_-3.00_x_01-01-01.000.jpg')
  })

  test.each([
    ['/v/a:b?c*"<d>|e\\f.mp4', '01_37.42_a_b_c__d__e_f_00-00-12.345.jpg'.replace('c__d', 'c___d')],
    ['/v/new\nline\tand\u0000null.mp4', '01_37.42_new_line_and_null_00-00-12.345.jpg'],
    ['/v/evil\u202egpj.mp4', '01_37.42_evil_gpj_00-00-12.345.jpg'],
    ['/v/..', '01_37.42_.._00-00-12.345.jpg'],
    ['/v/%03d.mp4', '01_37.42__03d_00-00-12.345.jpg'],
    ['/v/-x.mp4', '01_37.42_-x_00-00-12.345.jpg'],
    ['/v/кролик 日本.mp4', '01_37.42_кролик 日本_00-00-12.345.jpg'],
  ])('is safe for %j', (path, name) => {
    expect(named(path)).toBe(name)
  })

  test('stays under the 255 bytes of file systems and cuts no letter in two', () => {
    const family = '👨‍👩‍👧‍👦'
    const name = named(`/v/${family.repeat(60)}.mp4`)
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(160)
    expect(name).toBe(`01_37.42_${family.repeat(4)}_00-00-12.345.jpg`)
  })
})
