import { parse } from 'node:path'
import { formatTimestamp } from '../video/timestamp.ts'
import type { Picture } from '../video/video.ts'
import { boxOverlay, fromPicture, jpegOptions, type ShownMoment } from './box.ts'

export type { ShownMoment } from './box.ts'
export { contactSheet, type SheetEntry, type SheetOptions } from './sheet.ts'

/**
 * Draws a moment's box on the frame that it was found in.
 *
 * @param picture the displayed frame, in any size
 * @returns JPEG of the same size; without a box where that is the whole frame
 */
export const drawMoment = async (picture: Picture, { box }: Pick<ShownMoment, 'box'>): Promise<Buffer> =>
  fromPicture(picture).composite(boxOverlay(picture, box)).jpeg(jpegOptions).toBuffer()

/** Bytes of a name in UTF-8 that leave room for the rest in the 255 that file systems allow. */
const mostNameBytes = 120

/**
 * File name for a moment's picture, or with another ending its clip: rank, score, the video's name and the time, such as
 * `01_37.42_holiday_00-00-12.345.jpg`. Safe on every system: what one of them forbids in a name becomes `_`.
 */
export const pictureName = (
  { rank, score, path, t }: Omit<ShownMoment, 'from' | 'to' | 'box'>,
  ending = '.jpg',
): string => {
  const time = formatTimestamp(t).replaceAll(':', '-')
  return `${String(rank).padStart(2, '0')}_${score === undefined ? '' : `${score.toFixed(2)}_`}${safeName(parse(path).name)}_${time}${ending}`
}

/** No separators, no control or direction characters, nothing that Windows or a shell takes for its own. */
const safeName = (name: string): string => {
  const safe = name
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}<>:"'`/\\|?*%$&;]/gu, '_')
    .replace(/\s+/gu, ' ')
  let short = ''
  for (const { segment } of new Intl.Segmenter().segment(safe.slice(0, mostNameBytes))) {
    if (Buffer.byteLength(short + segment) > mostNameBytes) break
    short += segment
  }
  return short
}
