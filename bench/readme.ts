import { readFile, writeFile } from 'node:fs/promises'
import { machineLine, type Report, type Row } from './report.ts'
import type { Results } from './run.ts'
import { table } from './table.ts'

/*
 * Brings the figures of bench/results.json into docs/bench.md, and the few that README shows into README, each between
 * two marks:
 *
 *   npm run bench -- FOLDER && npm run bench:readme
 */

const [begin, end] = ['<!-- bench: written by `npm run bench:readme` -->', '<!-- /bench -->']

/** Day and machine of a report. */
const occasion = ({ measuredAt, machine }: Report): string =>
  `Measured on ${measuredAt.slice(0, 10)}: ${machineLine(machine)}.`

/** The newest occasion stands on top, another one below its table. */
const allTables = (reports: Results): readonly string[] => {
  const [newest] = reports.toSorted((a, b) => b.measuredAt.localeCompare(a.measuredAt))
  const general = newest ? [occasion(newest)] : []
  const tables = reports.flatMap((report) => {
    const { title, results, notes = [] } = report
    const own = general.includes(occasion(report)) ? [] : [occasion(report)]
    return [`## ${title}`, table(results), [...own, ...notes].join(' ')]
  })
  return [...general, ...tables]
}

/** Ingest against the article's algorithm: the figures that a newcomer asks for. */
const shortTable = (reports: Results): readonly string[] => {
  const ingest = reports.find(({ name }) => name === 'ingest')
  if (!ingest) throw new Error('Expected results of the bench "ingest", got none: npm run bench -- --only ingest')
  const rows = ingest.results.map(
    (row): Row => ({
      way: row.way!,
      'video seconds a second': row.videoSecondsASecond!,
      'times the article': row['times the article']!,
      'peak MB': row.peakMB!,
      'recall at 5': row.recallAt5!,
    }),
  )
  return [table(rows), occasion(ingest)]
}

const fill = async (file: string, parts: readonly string[]): Promise<void> => {
  const url = new URL(file, import.meta.url)
  const text = await readFile(url, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`Expected ${file} to hold the marks ${begin} and ${end}`)
  const section = [begin, ...parts, end].filter((part) => part !== '').join('\n\n')
  await writeFile(url, text.slice(0, from) + section + text.slice(to + end.length))
}

const results = JSON.parse(await readFile(new URL('./results.json', import.meta.url), 'utf8')) as Results
await fill('../docs/bench.md', allTables(results))
await fill('../README.md', shortTable(results))
