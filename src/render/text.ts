import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'

export type TextStyle = {
  /** Height of the font in pixels. */
  readonly size: number
  readonly weight: 'regular' | 'bold'
  /** `#rrggbb` */
  readonly colour: string
}

/** A line of text as a picture: RGBA as PNG, cut to the ink on the left and right, a line's full height. */
export type TextPicture = { readonly png: Buffer; readonly width: number; readonly height: number }

/** The carried fonts: the same captions on every machine, also where no font is installed. */
const require = createRequire(import.meta.url)
const fonts = {
  regular: { name: 'DejaVu Sans', file: require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf') },
  bold: { name: 'DejaVu Sans Bold', file: require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf') },
}

/** Letters that are rendered at most, however wide the place: a query may be a whole page. */
const mostSymbols = 500

/**
 * Renders one line of text, shortened with an ellipsis until it is at most `maxWidth` pixels wide.
 *
 * @param keep what stays when it is too long: its start, or its start and its end (names keep their ending)
 * @returns `undefined` if there is nothing to see in the text
 */
export const renderLine = async (
  text: string,
  style: TextStyle,
  maxWidth: number,
  keep: 'start' | 'both-ends' = 'start',
): Promise<TextPicture | undefined> => {
  const symbols = symbolsOf(text)
  if (symbols.length === 0) return undefined
  const whole = symbols.length <= mostSymbols ? await render(symbols.join(''), style) : undefined
  if (whole && whole.width <= maxWidth) return whole
  // Widths vary from letter to letter, so the number that fits is searched for.
  let fits = 0
  let tooMany = Math.min(symbols.length, mostSymbols)
  let best: TextPicture | undefined
  while (tooMany - fits > 1) {
    const count = Math.floor((fits + tooMany) / 2)
    const picture = await render(shortened(symbols, count, keep), style)
    if (picture.width <= maxWidth) [fits, best] = [count, picture]
    else tooMany = count
  }
  return best
}

/** Letters as people count them. Each costs a copy of the whole text, so a very long one loses its middle first. */
const symbolsOf = (text: string): readonly string[] => {
  const half = 2 * mostSymbols
  const short = text.length <= 2 * half ? text : `${text.slice(0, half)} ${text.slice(-half)}`
  return [...new Intl.Segmenter().segment(visible(short))].map(({ segment }) => segment)
}

const shortened = (symbols: readonly string[], count: number, keep: 'start' | 'both-ends'): string => {
  const atEnd = keep === 'start' ? 0 : Math.floor(count / 2)
  const start = symbols.slice(0, count - atEnd).join('')
  return `${start.trimEnd()}…${symbols
    .slice(symbols.length - atEnd)
    .join('')
    .trimStart()}`
}

/** One line of what can be seen: no control characters, broken surrogates or line ends; spaces single. */
const visible = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^[\p{Cf}\p{Zs}]+$/u, '')

/**
 * libvips cuts a text to its ink, so that lines with and without descenders would differ in height. An unseen tail that
 * reaches as high and as low as letters do gives all lines of a style one height and one baseline.
 */
const tail = '<span alpha="1">Å|_</span>'

const render = async (text: string, style: TextStyle): Promise<TextPicture> => {
  const { png, width, height } = await renderMarkup(
    `<span foreground="${style.colour}">${escapeMarkup(text)}</span>${tail}`,
    style,
  )
  const tailWidth = (await renderMarkup(tail, style)).width
  return cutRight(png, Math.max(1, width - tailWidth), height)
}

const cutRight = async (png: Buffer, width: number, height: number): Promise<TextPicture> => ({
  png: await sharp(png).extract({ left: 0, top: 0, width, height }).png().toBuffer(),
  width,
  height,
})

const renderMarkup = async (markup: string, { size, weight }: TextStyle): Promise<TextPicture> => {
  await fontconfigIsReady()
  const { name, file } = fonts[weight]
  const text = { text: markup, font: `${name} ${size}`, fontfile: file, rgba: true, dpi: 72, wrap: 'none' as const }
  const { data, info } = await sharp({ text }).png().toBuffer({ resolveWithObject: true })
  return { png: data, width: info.width, height: info.height }
}

/** Pango markup is XML. */
const escapeMarkup = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** What fontconfig reads where the system has no configuration: it would complain on stderr otherwise. */
const plainConfiguration = `<?xml version="1.0"?><fontconfig>
<dir>/usr/share/fonts</dir><dir>/usr/local/share/fonts</dir><dir prefix="xdg">fonts</dir>
<cachedir prefix="xdg">fontconfig</cachedir></fontconfig>`

let ready: Promise<void> | undefined

/** Runs once a process: fontconfig reads its configuration with the first text and keeps it. */
const fontconfigIsReady = (): Promise<void> => {
  ready ??= prepareFontconfig()
  return ready
}

const prepareFontconfig = async (): Promise<void> => {
  const { FONTCONFIG_FILE, FONTCONFIG_PATH } = process.env
  if (process.platform !== 'linux' || FONTCONFIG_FILE || FONTCONFIG_PATH || existsSync('/etc/fonts/fonts.conf')) return
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-fonts-'))
  try {
    process.env.FONTCONFIG_FILE = join(folder, 'fonts.conf')
    await writeFile(process.env.FONTCONFIG_FILE, plainConfiguration)
    await sharp({ text: { text: 'a', fontfile: fonts.regular.file } }).toBuffer()
  } finally {
    delete process.env.FONTCONFIG_FILE
    await rm(folder, { recursive: true, force: true })
  }
}
