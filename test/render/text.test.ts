import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { renderLine, type TextStyle } from '../../src/render/text.ts'

const style: TextStyle = { size: 16, weight: 'regular', colour: '#ff0000' }

const widthOf = async (text: string, maxWidth = 10_000) => (await renderLine(text, style, maxWidth))?.width ?? 0

describe('a line of text', () => {
  test('is as wide as its letters, and in its colour', async () => {
    expect(await widthOf('WWWW')).toBeGreaterThan(2 * (await widthOf('iiii')))
    const { png } = (await renderLine('WWWW', style, 1000))!
    const { channels } = await sharp(await sharp(png).flatten({ background: '#ffffff' }).toBuffer()).stats()
    expect(channels.map(({ min }) => min)).toEqual([255, 0, 0])
  })

  test('has one height, whatever stands in it', async () => {
    const heights = await Promise.all(
      ['a', 'Ég', '___', '."'].map(async (text) => (await renderLine(text, style, 99))?.height),
    )
    expect(new Set(heights).size).toBe(1)
  })

  test('shows the marks of markup as they are', async () => {
    expect(await widthOf('<b>&amp;"')).toBeGreaterThan(await widthOf('<b>&"'))
    expect(await widthOf('<b>x</b>')).toBeGreaterThan(2 * (await widthOf('x')))
  })

  test.each(['', ' \t\n', '\u0000', '\u200b\u200d', '\ud800', '\ufffe'])('is nothing for %j', async (text) => {
    expect(await renderLine(text, style, 100)).toBeUndefined()
  })

  test('takes a line end or a broken surrogate for a space', async () => {
    expect(await widthOf('a\r\nb')).toBe(await widthOf('a b'))
    expect(await widthOf('a\ud83db')).toBe(await widthOf('a b'))
  })
})

describe('a line that is too long', () => {
  const long = 'a name that goes on and on and does not end before it has said everything.mp4'

  test('is cut to just fit, with an ellipsis', async () => {
    const width = await widthOf(long, 200)
    expect(width).toBeLessThanOrEqual(200)
    expect(width).toBeGreaterThan(180)
  })

  test('keeps its start, or its start and its end', async () => {
    const pixels = async (text: string, keep: 'start' | 'both-ends', maxWidth: number) =>
      (await renderLine(text, style, maxWidth, keep))?.png
    expect(await pixels('iiiiiiiiWWWWWWWW', 'start', 60)).toEqual(
      await pixels('iiiiiiiiWWWW'.concat('xxxxxxxx'), 'start', 60),
    )
    const both = await pixels(long, 'both-ends', 200)
    expect(both).not.toEqual(await pixels(`${long}x`, 'both-ends', 200))
    expect(both).toEqual(await pixels(long.replace('does not', 'might'), 'both-ends', 200))
  })

  test('may be very long indeed', async () => {
    expect(await widthOf('long '.repeat(20_000), 300)).toBeLessThanOrEqual(300)
  })

  test('is nothing where not even one letter fits', async () => {
    expect(await renderLine(long, style, 3)).toBeUndefined()
  })
})

test('letters are drawn on a machine without a single font', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'no-fonts-'))
  try {
    const config = join(folder, 'fonts.conf')
    await writeFile(config, `<?xml version="1.0"?><fontconfig><cachedir>${folder}</cachedir></fontconfig>`)
    const program = `
      import { renderLine } from ${JSON.stringify(resolve('src/render/text.ts'))}
      const widths = []
      for (const weight of ['regular', 'bold']) {
        for (const text of ['iiii', 'WWWW', 'Привет']) {
          widths.push((await renderLine(text, { size: 16, weight, colour: '#000000' }, 1000)).width)
        }
      }
      console.log(JSON.stringify(widths))`
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      { env: { ...process.env, FONTCONFIG_FILE: config } },
    )
    expect(stderr).toBe('')
    const [narrow, wide, cyrillic, narrowBold, wideBold, cyrillicBold] = JSON.parse(stdout) as number[]
    // Boxes in the place of letters would all have one width.
    expect(wide!).toBeGreaterThan(2 * narrow!)
    expect(wideBold!).toBeGreaterThan(wide!)
    expect(narrowBold!).toBeGreaterThan(narrow!)
    expect(cyrillicBold!).toBeGreaterThan(cyrillic!)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
