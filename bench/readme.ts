import { readFile, writeFile } from 'node:fs/promises'
import { machineLine } from './report.ts'
import type { Results } from './run.ts'
import { table } from './table.ts'

/*
 * Brings the figures of bench/results.json into README, between its two marks:
 *
 *   npm run bench -- FOLDER && npm run bench:readme
 */

const readme = new URL('../README.md', import.meta.url)
const [begin, end] = ['<!-- bench: written by `npm run bench:readme` -->', '<!-- /bench -->']

const sectionOf = ({ measuredAt, machine, benches, failed }: Results): string => {
  const tables = benches
    .filter(({ results }) => results.length > 0)
    .flatMap(({ title, results, notes = [] }) => [`**${title}**`, table(results), notes.join(' ')])
  const measured = `Measured on ${measuredAt.slice(0, 10)}: ${machineLine(machine)}.`
  const missing = failed.length > 0 ? [`Failed: ${failed.join('; ')}.`] : []
  return [begin, measured, ...missing, ...tables, end].filter((part) => part !== '').join('\n\n')
}

const results = JSON.parse(await readFile(new URL('./results.json', import.meta.url), 'utf8')) as Results
const text = await readFile(readme, 'utf8')
const [from, to] = [text.indexOf(begin), text.indexOf(end)]
if (from < 0 || to < from) throw new Error(`Expected README.md to hold the marks ${begin} and ${end}`)
await writeFile(readme, text.slice(0, from) + sectionOf(results) + text.slice(to + end.length))
