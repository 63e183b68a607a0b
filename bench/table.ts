import type { Row } from './report.ts'

/** A Markdown table that also reads well in a terminal: a column for each key of any row, numbers to the right. */
export const table = (rows: readonly Row[]): string => {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => keys.map((key) => cell(row[key])))
  const heads = keys.map(heading)
  const widths = heads.map((head, i) => Math.max(3, head.length, ...cells.map((row) => row[i]!.length)))
  const isNumber = keys.map((key) => rows.some((row) => typeof row[key] === 'number'))
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, i) => (isNumber[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))).join(' | ')} |`
  const rule = widths.map((width, i) => (isNumber[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [line(heads), `| ${rule.join(' | ')} |`, ...cells.map(line)].join('\n')
}

/** videoSecondsASecond → video seconds a second; peakMB → peak MB; recallAt5 → recall at 5 */
const heading = (key: string): string =>
  key
    .replace(/([a-z])([A-Z\d])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .split(' ')
    .map((word) => (/^[A-Z]{2,}$/.test(word) ? word : word.toLowerCase()))
    .join(' ')

/** Three digits that mean something, and all of a whole number. */
const cell = (value: string | number | null | undefined): string => {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'string') return value
  if (Number.isInteger(value)) return value.toLocaleString('en')
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
}
