import sharp, { type OverlayOptions } from 'sharp'
import { formatTimestamp } from '../video/timestamp.ts'
import { accentColour, colours } from './box.ts'
import { renderLine, type TextStyle } from './text.ts'

/** Scores along a video. Times in seconds from the start of the file. */
export type PlottedCurve = {
  readonly query: string
  readonly path: string
  readonly durationSeconds?: number
  /** In the order of time. */
  readonly points: readonly { readonly t: number; readonly until: number; readonly score: number }[]
  /** Drawn as a line across. */
  readonly cutoff?: number
  /** Marked with their rank. */
  readonly moments: readonly { readonly rank: number; readonly t: number; readonly from: number; readonly to: number }[]
}

/** In pixels. */
const size = { width: 1200, height: 400 }
const area = { left: 64, top: 92, width: 1104, height: 248 }
const bottom = area.top + area.height

const styles = {
  title: { size: 22, weight: 'bold', colour: colours.text },
  rank: { size: 13, weight: 'bold', colour: accentColour },
  axis: { size: 12, weight: 'regular', colour: colours.quiet },
} satisfies Record<string, TextStyle>

/** `x`, `y`: of its start, middle or end on the baseline. */
type Label = {
  readonly text: string
  readonly style: TextStyle
  readonly x: number
  readonly y: number
  readonly anchor: 'start' | 'middle' | 'end'
}

type Drawing = { readonly shapes: string; readonly labels: readonly Label[] }

/** The curve with its cutoff and moments, as an SVG file. */
export const curveSvg = (curve: PlottedCurve): string => {
  const { shapes, labels } = drawingOf(curve)
  const texts = labels.map(({ text, style, x, y, anchor }) => {
    const weight = style.weight === 'bold' ? ' font-weight="bold"' : ''
    return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${style.size}"${weight} fill="${style.colour}">${xml(text)}</text>`
  })
  return `${svg(`${shapes}<g font-family="DejaVu Sans, Arial, sans-serif">${texts.join('')}</g>`)}\n`
}

/** The same as PNG, with the fonts that are carried. */
export const curvePng = async (curve: PlottedCurve): Promise<Buffer> => {
  const { shapes, labels } = drawingOf(curve)
  const layers = await Promise.all(labels.map(layerOf))
  return sharp(Buffer.from(svg(shapes)))
    .composite(layers.flat())
    .png()
    .toBuffer()
}

const svg = (content: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}">${content}</svg>`

/** Rendered lines reach about a quarter of their size below the baseline. */
const layerOf = async ({ text, style, x, y, anchor }: Label): Promise<OverlayOptions[]> => {
  const line = await renderLine(text, style, area.width)
  if (!line) return []
  const left = Math.round(anchor === 'start' ? x : anchor === 'middle' ? x - line.width / 2 : x - line.width)
  const top = Math.round(y + style.size * 0.25 - line.height)
  return [{ input: line.png, left: Math.max(0, Math.min(size.width - line.width, left)), top: Math.max(0, top) }]
}

const drawingOf = ({ query, path, durationSeconds, points, cutoff, moments }: PlottedCurve): Drawing => {
  const end = Math.max(durationSeconds ?? 0, points.at(-1)?.until ?? 0, 1e-3)
  const scores = points.map(({ score }) => score)
  const all = [...extremes(scores), ...(cutoff === undefined ? [] : [cutoff])]
  const step = niceStep((Math.max(...all) - Math.min(...all)) / 4)
  const low = Math.floor(Math.min(...all) / step) * step
  const high = Math.max(low + step, Math.ceil(Math.max(...all) / step) * step)
  const x = (seconds: number): number => round(area.left + (Math.max(0, seconds) / end) * area.width)
  const y = (score: number): number => round(bottom - ((score - low) / (high - low)) * area.height)
  const shapes = [
    `<rect width="${size.width}" height="${size.height}" fill="${colours.page}"/>`,
    `<rect x="${area.left}" y="${area.top}" width="${area.width}" height="${area.height}" fill="${colours.panel}"/>`,
  ]
  const labels: Label[] = [
    { text: query, style: styles.title, x: area.left, y: 40, anchor: 'start' },
    { text: path, style: styles.axis, x: area.left, y: 64, anchor: 'start' },
  ]
  for (let score = low; score <= high + step / 2; score += step) {
    shapes.push(`<path d="M${area.left} ${y(score)}h${area.width}" stroke="${colours.quiet}" stroke-opacity="0.2"/>`)
    labels.push({ text: shortNumber(score), style: styles.axis, x: area.left - 8, y: y(score) + 4, anchor: 'end' })
  }
  for (const { rank, t, from, to } of moments) {
    const width = Math.max(2, x(to) - x(from))
    shapes.push(
      `<rect x="${x(from)}" y="${area.top}" width="${width}" height="${area.height}" fill="${accentColour}" fill-opacity="0.25"/>`,
    )
    labels.push({ text: String(rank), style: styles.rank, x: x(t), y: area.top - 6, anchor: 'middle' })
  }
  if (points.length > 0) {
    const line = lineOf(points, end, x, y)
    shapes.push(`<path d="${line}V${bottom}H${area.left}Z" fill="#6ea8fe" fill-opacity="0.25"/>`)
    shapes.push(`<path d="${line}" fill="none" stroke="#6ea8fe" stroke-width="1.5"/>`)
  }
  if (cutoff !== undefined) {
    shapes.push(
      `<path d="M${area.left} ${y(cutoff)}h${area.width}" stroke="${colours.text}" stroke-dasharray="6 5" stroke-opacity="0.8"/>`,
    )
    const text = `likely from ${cutoff.toFixed(2)}`
    labels.push({ text, style: styles.axis, x: area.left + area.width - 6, y: y(cutoff) - 6, anchor: 'end' })
  }
  const timeStep = niceTime(end / 8)
  for (let at = 0; at <= end; at += timeStep) {
    const text = formatTimestamp(at).replace(timeStep < 1 ? /^00:/ : /^00:|\.000$/g, '')
    shapes.push(`<path d="M${x(at)} ${bottom}v6" stroke="${colours.quiet}"/>`)
    labels.push({ text, style: styles.axis, x: x(at), y: bottom + 22, anchor: 'middle' })
  }
  return { shapes: shapes.join(''), labels }
}

/** Not by spreading: a long video has more points than a call may have arguments. */
const extremes = (scores: readonly number[]): readonly [number, number] =>
  scores.length === 0
    ? [0, 100]
    : scores.reduce<readonly [number, number]>(
        ([low, high], score) => [Math.min(low, score), Math.max(high, score)],
        [scores[0]!, scores[0]!],
      )

/** One step a column of pixels, as high as the best frame in it: no peak is lost in a long video. */
const lineOf = (
  points: PlottedCurve['points'],
  end: number,
  x: (seconds: number) => number,
  y: (score: number) => number,
): string => {
  const best = new Float64Array(area.width + 1).fill(Number.NEGATIVE_INFINITY)
  for (const [i, { t, score }] of points.entries()) {
    const [first, last] = [x(i === 0 ? 0 : t), x(points[i + 1]?.t ?? end)].map((at) => Math.floor(at - area.left))
    for (let column = first!; column <= last!; column++) best[column] = Math.max(best[column]!, score)
  }
  const steps = [...best].map((score, column) => `L${area.left + column} ${y(score)}`)
  return `M${area.left} ${y(best[0]!)}${steps.join('')}`
}

const round = (pixels: number): number => Math.round(pixels * 10) / 10

const shortNumber = (value: number): string => String(Number(value.toFixed(2)))

/** 1, 2 or 5 times a power of ten. */
const niceStep = (least: number): number => {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 0.1)))
  return power * ([1, 2, 5].find((each) => each * power >= least) ?? 10)
}

/** Steps that a clock is read by, in seconds. */
const niceTime = (least: number): number =>
  [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].find((step) => step >= least) ??
  Math.ceil(least / 7200) * 7200

const xml = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
