import { readFile, writeFile } from 'node:fs/promises'
import { machineLine, type Report } from './report.ts'
import type { Results } from './run.ts'
import { table } from './table.ts'

/*
 * Brings the figures of bench/results.json into README, between its two marks:
 *
 *   npm run bench -- FOLDER && npm run bench:readme
 */

const readme = new URL('../README.md', import.meta.url)
const [begin, end] = ['<!-- bench: written by `npm run bench:readme` -->', '<!-- /bench -->']

/** Day and machine of a report. */
const occasion = ({ measuredAt, machine }: Report): string =>
  `Measured on ${measuredAt.slice(0, 10)}: ${machineLine(machine)}.`

/** The newest occasion stands on top, another one below its table. */
const sectionOf = (reports: Results): string => {
  const [newest] = reports.toSorted((a, b) => b.measuredAt.localeCompare(a.measuredAt))
  const general = newest ? [occasion(newest)] : []
  const tables = reports.flatMap((report) => {
    const { title, results, notes = [] } = report
    const own = general.includes(occasion(report)) ? [] : [occasion(report)]
    return [`**${title}**`, table(results), [...own, ...notes].join(' ')]
  })
  return [begin, ...general, ...tables, end].filter((part) => part !== '').join('\n\n')
}

const results = JSON.parse(await readFile(new URL('./results.json', import.meta.url), 'utf8')) as Results
const text = await readFile(readme, 'utf8')
const [from, to] = [text.indexOf(begin), text.indexOf(end)]
if (from < 0 || to < from) throw new Error(`Expected README.md to hold the marks ${begin} and ${end}`)
await writeFile(readme, text.slice(0, from) + sectionOf(results) + text.slice(to + end.length))
