import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { contactSheet, type SheetEntry } from '../../src/render/pictures.ts'
import type { Picture } from '../../src/video/video.ts'

const plain = (width: number, height: number, grey = 200): Picture => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(grey),
})

const entry = (rank: number, change: Partial<SheetEntry['moment']> = {}, picture = plain(160, 90)): SheetEntry => ({
  moment: {
    ...{ rank, score: 40 - rank, path: `/videos/clip ${rank}.mp4`, t: rank * 10, from: rank * 10, to: rank * 10 },
    ...{ box: [0, 0, 0.5, 0.5], ...change },
  },
  picture,
})

const entries = (count: number) => Array.from({ length: count }, (_, i) => entry(i + 1))

const sizeOf = async (jpeg: Buffer) => {
  const { width, height, format } = await sharp(jpeg).metadata()
  expect(format).toBe('jpeg')
  return [width, height]
}

/** Left, top, right and bottom of what differs clearly between two sheets of one size. */
const difference = async (a: Buffer, b: Buffer) => {
  const first = await sharp(a).raw().toBuffer({ resolveWithObject: true })
  const second = await sharp(b).raw().toBuffer()
  const { width } = first.info
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1]
  for (let i = 0; i < second.length; i++) {
    if (Math.abs(first.data[i]! - second[i]!) < 40) continue
    const pixel = Math.floor(i / 3)
    const [x, y] = [pixel % width, Math.floor(pixel / width)]
    left = Math.min(left, x)
    top = Math.min(top, y)
    right = Math.max(right, x)
    bottom = Math.max(bottom, y)
  }
  return { left, top, right, bottom }
}

describe('a contact sheet', () => {
  test.each([
    [0, undefined, [480, 172]],
    [1, undefined, [480, 457]],
    [2, undefined, [908, 457]],
    [6, undefined, [1336, 770]],
    [7, undefined, [1336, 1083]],
    [12, undefined, [1764, 1083]],
    [3, 1, [480, 1083]],
  ])('of %i moments (columns: %s) has the size %j', async (count, columns, size) => {
    expect(await sizeOf(await contactSheet('a red car', entries(count), { columns }))).toEqual(size)
  })

  test('shows every part of a caption in its own moment’s cell, below the thumbnail', async () => {
    const sheet = await contactSheet('a red car', entries(6))
    // The fifth moment is in the second row and column: its cell begins at 468, 445, its caption 225 px below.
    for (const change of [
      { rank: 9 },
      { from: 3.5 },
      { to: 3599.5 },
      { score: 12.34 },
      { path: '/videos/other.mov' },
    ]) {
      const changed = await contactSheet('a red car', [...entries(4), entry(5, change), entry(6)])
      const { left, top, right, bottom } = await difference(sheet, changed)
      expect(left).toBeGreaterThanOrEqual(466)
      expect(right).toBeLessThanOrEqual(870)
      expect(top).toBeGreaterThanOrEqual(445 + 225)
      expect(bottom).toBeLessThanOrEqual(445 + 225 + 60)
    }
  })

  test('shows what is less likely paler, and says how many are', async () => {
    const [likely, weak] = [entry(5), entry(5, { likely: false })]
    const sheet = await contactSheet('a red car', [...entries(4), likely, entry(6)])
    const changed = await contactSheet('a red car', [...entries(4), weak, entry(6)])
    const { left, top, bottom } = await difference(sheet, changed)
    // From the line below the title to the end of the thumbnail.
    expect(left).toBeLessThan(466)
    expect(top).toBeLessThan(40 + 92)
    expect(bottom).toBe(445 + 225 - 1)
    const { data, info } = await sharp(changed).raw().toBuffer({ resolveWithObject: true })
    const grey = (x: number, y: number) => data[(y * info.width + x) * 3]!
    expect(grey(468 + 300, 445 + 180)).toBeLessThan(130)
    expect(grey(40 + 300, 445 + 180)).toBeGreaterThan(190)
  })

  test('has the query as its title', async () => {
    const { top, bottom } = await difference(
      await contactSheet('a red car', entries(3)),
      await contactSheet('a blue boat', entries(3)),
    )
    expect(top).toBeGreaterThanOrEqual(40)
    expect(bottom).toBeLessThan(132)
  })

  test('draws the box on the thumbnail', async () => {
    const whole = await contactSheet('', [entry(1, { box: [0, 0, 1, 1] })])
    const half = await contactSheet('', [entry(1, { box: [0.5, 0, 0.5, 1] })])
    const { left, top, right, bottom } = await difference(whole, half)
    expect(Math.abs(left - 240)).toBeLessThanOrEqual(1)
    expect(Math.abs(right - 439)).toBeLessThanOrEqual(1)
    expect(Math.abs(top - 132)).toBeLessThanOrEqual(3)
    expect(Math.abs(bottom - 356)).toBeLessThanOrEqual(3)
  })

  test('shows an upright frame whole, in the middle of its place', async () => {
    const wide = await contactSheet('', [entry(1, { box: [0, 0, 1, 1] }, plain(160, 90, 0))])
    const upright = await contactSheet('', [entry(1, { box: [0, 0, 1, 1] }, plain(90, 160, 255))])
    const { left, right } = await difference(wide, upright)
    expect(left + right).toBeGreaterThanOrEqual(478)
    expect(left + right).toBeLessThanOrEqual(480)
    expect(right - left + 1).toBe(Math.round((225 * 90) / 160))
  })

  test.each([
    '/v/<b>&"\'.mp4',
    '/v/new\nline\u0007.mp4',
    `/v/${'long '.repeat(50)}.mp4`,
    '/v/кролик 日本 🐰 مرحبا.mp4',
    '/v/\ud800.mp4',
    '',
  ])('takes any name and query: %j', async (path) => {
    expect(await sizeOf(await contactSheet(path, [entry(1, { path })]))).toEqual([480, 457])
  })

  test.each([
    [1, 1],
    [3000, 2],
    [2, 3000],
  ])('takes a frame of %i×%i', async (width, height) => {
    expect(await sizeOf(await contactSheet('thin', [entry(1, {}, plain(width, height))]))).toEqual([480, 457])
  })

  test('refuses to be higher than a JPEG can be, and columns that are none', async () => {
    await expect(contactSheet('many', entries(240), { columns: 1 })).rejects.toThrow(UsageError)
    await expect(contactSheet('none', entries(2), { columns: 0 })).rejects.toThrow(UsageError)
    await expect(contactSheet('half', entries(2), { columns: 1.5 })).rejects.toThrow(UsageError)
  })
})
