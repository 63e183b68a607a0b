import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type Create } from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodePicture, fitPicture, PictureError } from '../../src/encoder/picture.ts'
import type { ImageTower } from '../../src/models/model.ts'

type Reference = {
  pictures: { file: string; results: Record<string, { grid: number[]; rgb: number[][] }> }[]
}

const folder = join(import.meta.dirname, '../reference')
const reference: Reference = JSON.parse(await readFile(join(folder, 'preprocess.json'), 'utf8'))

type Rule = Pick<ImageTower, 'size' | 'resize' | 'interpolation'>

const rules: Record<string, Rule> = {
  'edge224-bicubic': { size: 224, resize: 'edge-crop', interpolation: 'bicubic' },
  'edge288-bicubic': { size: 288, resize: 'edge-crop', interpolation: 'bicubic' },
  'squash224-bicubic': { size: 224, resize: 'squash', interpolation: 'bicubic' },
  'squash256-bilinear': { size: 256, resize: 'squash', interpolation: 'bilinear' },
}

describe.each(reference.pictures)('$file', ({ file, results }) => {
  test.each(Object.keys(results))('is resized by the rule %s as Pillow does it', async (rule) => {
    const { grid, rgb } = results[rule]!
    const { size } = rules[rule]!
    const pixels = await fitPicture(await decodePicture(join(folder, file)), rules[rule]!)
    expect(pixels.length).toBe(size * size * 3)
    const differences = grid.flatMap((y, row) =>
      grid.flatMap((x, column) =>
        rgb[row * grid.length + column]!.map((value, c) => Math.abs(value - pixels[(y * size + x) * 3 + c]!)),
      ),
    )
    expect(differences.length).toBe(grid.length ** 2 * 3)
    expect(Math.max(...differences)).toBeLessThanOrEqual(1)
    expect(differences.reduce((a, b) => a + b, 0) / differences.length).toBeLessThan(0.1)
  })
})

describe('decodePicture', () => {
  const dot = (channels: 3 | 4, background: Create['background']) =>
    sharp({ create: { width: 4, height: 2, channels, background } })

  test('gives red as red, without an alpha channel', async () => {
    const picture = await decodePicture(await dot(3, { r: 255, g: 0, b: 0 }).png().toBuffer())
    expect(picture).toMatchObject({ width: 4, height: 2 })
    expect([...picture.data]).toEqual(Array(8).fill([255, 0, 0]).flat())
  })

  test('lays transparent parts on white', async () => {
    const picture = await decodePicture(await dot(4, { r: 255, g: 0, b: 0, alpha: 0 }).png().toBuffer())
    expect([...picture.data]).toEqual(Array(24).fill(255))
  })

  test('gives three channels for a grey picture and for one of 16 bits', async () => {
    const grey = await decodePicture(await dot(3, { r: 90, g: 90, b: 90 }).toColourspace('b-w').png().toBuffer())
    expect([...grey.data]).toEqual(Array(24).fill(90))
    const deep = await decodePicture(await dot(3, { r: 90, g: 91, b: 92 }).toColourspace('rgb16').png().toBuffer())
    expect([...deep.data]).toEqual(Array(8).fill([90, 91, 92]).flat())
  })

  test('turns a picture upright as its EXIF data says', async () => {
    const picture = await decodePicture(await dot(3, 'red').withMetadata({ orientation: 6 }).jpeg().toBuffer())
    expect(picture).toMatchObject({ width: 2, height: 4 })
  })

  test('names the file that is no picture', async () => {
    const failure = await decodePicture(join(folder, 'preprocess.json')).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(PictureError)
    expect((failure as PictureError).message).toContain('preprocess.json')
    await expect(decodePicture('no such file.png')).rejects.toThrow(PictureError)
    await expect(decodePicture(new Uint8Array(0))).rejects.toThrow(PictureError)
  })
})
