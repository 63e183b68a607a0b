import { spawn } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { carriedClips } from './clips.ts'
import { describeMachine, machineLine, type Report } from './report.ts'

/*
 * Runs all benches, one after the other, each in a process of its own.
 *
 *   npm run bench [-- FOLDER] [--python PATH] [--only NAME,NAME]
 *
 * FOLDER holds clips and may have an index.tsv with queries (see bench/clips.ts); the default is test/clips. Prints
 * tables and keeps each bench's figures in bench/results/ and bench/results.json, from which `npm run bench:readme` brings
 * them into README. What was not run, or could not be, keeps the figures that it had, with their date. Ends with 1 if a
 * bench failed; the others have run all the same.
 */

/** What the benches found out, each when it last ran: bench/results.json. */
export type Results = readonly Report[]

type Bench = { readonly name: string; readonly words?: readonly string[] }

/** No bench takes as long on two cores, not even that of four models of true size; one that does hangs. */
const limitMs = 30 * 60_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { python: { type: 'string', default: 'python3' }, only: { type: 'string' } },
})
const folder = positionals[0] ?? carriedClips
const race = [folder, '--python', values.python]

const benches: readonly Bench[] = [
  { name: 'ingest', words: race },
  { name: 'long-video', words: [...race, '--rounds', '2'] },
  { name: 'memory' },
  { name: 'encoder', words: ['--pictures', '96'] },
  { name: 'true-sizes', words: ['--python', values.python] },
  { name: 'search' },
  { name: 'server', words: [folder] },
  { name: 'store-embedded' },
  { name: 'store-qdrant' },
  { name: 'quality', words: [folder] },
  { name: 'moments', words: [folder] },
  { name: 'cutoff', words: [folder] },
]

const fileOf = (path: string): string => new URL(path, import.meta.url).pathname

/** @returns why it failed */
const run = ({ name, words = [] }: Bench, json: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const command = ['--import', 'tsx', fileOf(`./${name}.ts`), ...words, '--json', json]
    const child = spawn(process.execPath, command, { stdio: 'inherit', timeout: limitMs })
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${code ?? signal}`))
  })

const runAll = async (chosen: readonly Bench[]) => {
  const reports = new Map<string, Report>()
  const failed: string[] = []
  for (const bench of chosen) {
    const json = fileOf(`./results/${bench.name}.json`)
    await rm(json, { force: true })
    console.log(`\n## ${bench.name}\n`)
    const startedMs = performance.now()
    const failure = await run(bench, json)
    if (failure) failed.push(`${bench.name} ${failure}`)
    else reports.set(bench.name, JSON.parse(await readFile(json, 'utf8')))
    console.log(`\n${failure ? `FAILED: ${failure}, ` : ''}${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
  }
  return { reports, failed }
}

const only = values.only?.split(',')
const unknown = only?.filter((name) => !benches.some((bench) => bench.name === name)) ?? []
if (unknown.length > 0) {
  throw new Error(`Expected some of ${benches.map(({ name }) => name).join(', ')}, got ${unknown.join(', ')}`)
}
console.log(machineLine(await describeMachine()))
await mkdir(fileOf('./results'), { recursive: true })
const { reports, failed } = await runAll(benches.filter(({ name }) => only?.includes(name) ?? true))
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join('; ')}`)
  process.exitCode = 1
}
const before = JSON.parse(await readFile(fileOf('./results.json'), 'utf8')) as Results
const newest = benches.map(({ name }) => {
  const report = reports.get(name)
  return report && report.results.length > 0 ? report : before.find((known) => known.name === name)
})
await writeFile(fileOf('./results.json'), `${JSON.stringify(newest.filter(Boolean), null, 2)}\n`)
