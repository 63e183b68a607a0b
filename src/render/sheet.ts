import sharp, { type OverlayOptions } from 'sharp'
import { UsageError } from '../errors.ts'
import { formatSpan } from '../video/timestamp.ts'
import type { Picture } from '../video/video.ts'
import { accentColour, boxOverlay, colours, fromPicture, jpegOptions, type ShownMoment } from './box.ts'
import { renderLine, type TextPicture, type TextStyle } from './text.ts'

export type SheetEntry = {
  readonly moment: Omit<ShownMoment, 't'>
  /** The displayed frame at the moment, in any size. */
  readonly picture: Picture
}

export type SheetOptions = {
  /** Thumbnails side by side. @default 3, more from 10 moments on, fewer where there are fewer */
  readonly columns?: number
  /** What the pictures are, for the line below the title. @default 'moment' */
  readonly of?: 'moment' | 'scene'
}

/** In pixels. */
const margin = 40
const gutter = 28
const thumbnail = { width: 400, height: 225 }
const corner = 6
/** What is less likely steps back. */
const weakOpacity = 0.45
const titleHeight = 92
const captionHeight = 60
const cell = { width: thumbnail.width, height: thumbnail.height + captionHeight }

/** A JPEG can be no higher. */
const mostHeight = 65_500

const styles = {
  title: { size: 28, weight: 'bold', colour: colours.text },
  subtitle: { size: 15, weight: 'regular', colour: colours.quiet },
  rank: { size: 16, weight: 'bold', colour: accentColour },
  time: { size: 16, weight: 'bold', colour: colours.text },
  score: { size: 16, weight: 'bold', colour: colours.text },
  name: { size: 13, weight: 'regular', colour: colours.quiet },
} satisfies Record<string, TextStyle>

/**
 * Lays moments out on one sheet: the query on top, then a thumbnail each with its box, captioned with rank, time, score
 * and the video's file name.
 *
 * @param query what was asked, as the title
 * @param entries in the order shown
 * @returns JPEG
 * @throws UsageError if there are more moments than one sheet holds
 */
export const contactSheet = async (
  query: string,
  entries: readonly SheetEntry[],
  { columns = defaultColumns(entries.length), of = 'moment' }: SheetOptions = {},
): Promise<Buffer> => {
  const rows = Math.ceil(entries.length / columns)
  const width = 2 * margin + Math.max(1, columns) * (cell.width + gutter) - gutter
  const height = margin + titleHeight + Math.max(0, rows * (cell.height + gutter) - gutter) + margin
  checkSize(columns, width, height)
  const layers = await titleLayers(query, summary(entries, of), width)
  for (const [i, entry] of entries.entries()) {
    const left = margin + (i % columns) * (cell.width + gutter)
    const top = margin + titleHeight + Math.floor(i / columns) * (cell.height + gutter)
    layers.push({ input: await thumbnailOf(entry), left, top }, ...(await captionLayers(entry.moment, left, top)))
  }
  return sharp({ create: { width, height, channels: 3, background: colours.page } })
    .composite(layers)
    .jpeg(jpegOptions)
    .toBuffer()
}

const defaultColumns = (moments: number): number => {
  if (moments < 10) return Math.max(1, Math.min(3, moments))
  return moments < 25 ? 4 : 5
}

const checkSize = (columns: number, width: number, height: number): void => {
  if (!Number.isSafeInteger(columns) || columns < 1 || width > mostHeight) {
    throw new UsageError(`Expected 1 to 150 columns, got ${columns}`, { remedy: 'Leave the number of columns out' })
  }
  if (height > mostHeight) {
    throw new UsageError(`Expected a contact sheet of at most ${mostHeight} pixels in height, got ${height}`, {
      remedy: 'Ask for fewer moments (-n) or use --pictures DIR',
    })
  }
}

const summary = (entries: readonly SheetEntry[], of: string): string => {
  const [count, weak] = [entries.length, entries.filter(({ moment }) => moment.likely === false).length]
  const counted = `${count === 0 ? 'no' : count} ${of}${count === 1 ? '' : 's'}`
  return weak === 0 ? counted : `${counted}, ${weak === count ? 'none of them likely' : `${weak} less likely`}`
}

const titleLayers = async (query: string, count: string, width: number): Promise<OverlayOptions[]> => {
  const title = await renderLine(query, styles.title, width - 2 * margin)
  const subtitle = await renderLine(count, styles.subtitle, width - 2 * margin)
  return [...atBaseline(title, margin, margin + 36), ...atBaseline(subtitle, margin, margin + 64)]
}

const captionLayers = async (
  { rank, from, to, score, path }: SheetEntry['moment'],
  left: number,
  top: number,
): Promise<OverlayOptions[]> => {
  const first = top + thumbnail.height + 30
  const second = first + 24
  const rankPicture = await renderLine(String(rank), styles.rank, cell.width)
  const timePicture = await renderLine(formatSpan({ from, to }), styles.time, cell.width)
  const scorePicture = await renderLine(score?.toFixed(2) ?? '', styles.score, cell.width)
  const namePicture = await renderLine(fileName(path), styles.name, cell.width, 'both-ends')
  return [
    ...atBaseline(rankPicture, left, first),
    ...atBaseline(timePicture, left + (rankPicture?.width ?? 0) + 12, first),
    ...atBaseline(scorePicture, left + cell.width - (scorePicture?.width ?? 0), first),
    ...atBaseline(namePicture, left, second),
  ]
}

/** Not `basename`: an index may have been filled on another system. */
const fileName = (path: string): string => path.split('/').at(-1) || path

/** Lines of one style have one depth below the baseline, whatever stands in them. */
const atBaseline = (line: TextPicture | undefined, left: number, bottom: number): OverlayOptions[] =>
  line ? [{ input: line.png, left, top: bottom - line.height }] : []

/** The frame within its panel, as large as fits and nothing cut off, with its box; corners rounded. */
const thumbnailOf = async ({ picture, moment }: SheetEntry): Promise<Buffer> => {
  const { data, info } = await fromPicture(picture)
    .resize({ ...thumbnail, fit: 'inside' })
    .png()
    .toBuffer({ resolveWithObject: true })
  const boxed = await sharp(data).composite(boxOverlay(info, moment.box)).png().toBuffer()
  const { width, height } = thumbnail
  const panel = await sharp({ create: { ...thumbnail, channels: 4, background: colours.panel } })
    .composite([{ input: boxed, gravity: 'centre' }])
    .png()
    .toBuffer()
  const mask = `<svg width="${width}" height="${height}"><rect width="${width}" height="${height}" rx="${corner}" fill-opacity="${moment.likely === false ? weakOpacity : 1}"/></svg>`
  return sharp(panel)
    .composite([{ input: Buffer.from(mask), blend: 'dest-in' }])
    .png()
    .toBuffer()
}
