import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openIndex } from '../src/index.ts'
import { loadModel } from '../src/models/load.ts'
import { openEmbeddedStore } from '../src/store/embedded/embeddedStore.ts'
import { interleaved, median, quantile, time } from './measure.ts'
import { fill } from './points/clustered.ts'
import { runProcess } from './process.ts'
import { builtProgram, runVidgrep } from './program.ts'
import { type Row, report } from './report.ts'

/*
 * How long a search takes, on an embedded collection of the starter model: a whole `vidgrep search` from the start of
 * the process to its end, and a search in a process that goes on. Needs the built program (npm run build).
 *
 *   npx tsx bench/search.ts [--points 100000 | --large] [--rounds 7] [--folder FOLDER] [--json FILE]
 *
 * --large: a million points, some ten minutes. A folder that was filled before is searched as it is.
 */

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '100000' },
    large: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    folder: { type: 'string' },
    json: { type: 'string' },
    /** For the bench itself: fills the folder and ends. */
    prepare: { type: 'boolean', default: false },
  },
})
const count = values.large ? 1_000_000 : Number(values.points)
const rounds = Number(values.rounds)
const searches = 60
const collection = 'vidgrep'

/** Words that were not asked before, of about the same length each. */
let asked = 0
const newWords = (): string => `a red car in street number ${++asked}`
const oldWords = 'a dog that runs along a beach'

const prepare = async (store: string): Promise<void> => {
  const model = await loadModel('starter')
  const create = { model: model.id, dimension: model.dimension }
  const opened = await openEmbeddedStore(store, { collection, create })
  if ((await opened.countPoints()) === 0) {
    await fill(opened, count)
    await opened.optimize()
  }
  await opened.close()
}

/** Whole processes: what a user waits for at the prompt. */
const measureCold = async (store: string, home: string): Promise<Row[]> => {
  const search = (words: string, ...more: string[]) => [
    'search',
    words,
    '--store',
    store,
    '--threshold',
    '-100',
    ...more,
  ]
  const ways: readonly [string, () => readonly string[]][] = [
    ['vidgrep search', () => search(newWords())],
    ['vidgrep search --path', () => search(newWords(), '--path', 'video-3.mp4')],
    ['vidgrep --help', () => ['--help']],
  ]
  await runVidgrep(search(oldWords), home)
  const laps = await interleaved(ways, rounds, async ([, words]) => (await runVidgrep(words(), home)).seconds * 1000)
  return ways.map(([what], i) => row(what, laps[i]!))
}

/** One open index, many searches: a server, or a program that uses the library. */
const measureWarm = async (store: string): Promise<Row[]> => {
  const index = await openIndex({ store, collection })
  const options = { threshold: -100 }
  try {
    const laps: Record<string, number[]> = {}
    const lap = async (what: string, work: () => Promise<unknown>) => {
      laps[what] ??= []
      laps[what].push(await time(work))
    }
    await index.search(newWords(), options)
    await index.search(oldWords, options)
    for (let i = 0; i < searches; i++) {
      await lap('library, new words: encode + store', () => index.search(newWords(), options))
      await lap('library, words asked before: store', () => index.search(oldWords, options))
      await lap('library, in one video', () => index.search(oldWords, { ...options, paths: ['video-3.mp4'] }))
    }
    return Object.entries(laps).map(([what, list]) => row(what, list))
  } finally {
    await index.close()
  }
}

const row = (what: string, laps: readonly number[]): Row => ({
  what,
  runs: laps.length,
  medianMs: median(laps),
  p95Ms: quantile(laps, 0.95),
  leastMs: Math.min(...laps),
})

/** In a process of its own: from one that holds a collection, each start of another program takes 50 ms longer. */
const prepareElsewhere = (store: string): Promise<unknown> => {
  const filling = ['--prepare', '--folder', store, '--points', `${count}`]
  const words = ['--import', 'tsx', fileURLToPath(import.meta.url), ...filling]
  return runProcess(process.execPath, words)
}

const measure = async (): Promise<void> => {
  if (!existsSync(builtProgram)) throw new Error(`Expected the built program at ${builtProgram}: npm run build`)
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-bench-search-'))
  try {
    const store = values.folder ?? join(folder, 'store')
    const home = join(folder, 'home')
    process.env.VIDGREP_HOME = home
    await prepareElsewhere(store)
    const results = [...(await measureCold(store, home)), ...(await measureWarm(store))]
    const title = `Search in ${count.toLocaleString('en')} points of 384 numbers, embedded store, starter model`
    const notes = [
      'A line that begins with vidgrep is a whole process from its start to its end; the files lie in the page cache.',
      'An open index remembers the embeddings of texts: words asked before need no text tower.',
    ]
    await report({ name: 'search', title, results, notes }, values.json)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

await (values.prepare ? prepare(values.folder!) : measure())
