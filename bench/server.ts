import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openIndex } from '../src/index.ts'
import { loadModel } from '../src/models/load.ts'
import { serve } from '../src/server/server.ts'
import { openEmbeddedStore } from '../src/store/embedded/embeddedStore.ts'
import { median, quantile, time } from './measure.ts'
import { fill } from './points/clustered.ts'
import { type Row, report } from './report.ts'

/*
 * How long the page waits: for the moments after a key press, for their pictures, and when a hundred people ask at once.
 *
 *   npx tsx bench/server.ts FOLDER_OF_VIDEOS [--points 100000] [--json FILE]
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { points: { type: 'string', default: '100000' }, json: { type: 'string' } },
})
const count = Number(values.points)
const searches = 60
const shown = 24
const clients = 100
const searchesEach = 5
const collection = 'vidgrep'

let asked = 0
const newWords = (): string => `a red car in street number ${++asked}`

const row = (what: string, laps: readonly number[]): Row => ({
  what,
  runs: laps.length,
  medianMs: median(laps),
  p95Ms: quantile(laps, 0.95),
  leastMs: Math.min(...laps),
})

const get = async (url: string): Promise<Response> => {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  return response
}

/** Videos as they are: words to JSON, then the pictures that stand on the first page, none of them asked for before. */
const measurePage = async (videos: string, store: string): Promise<Row[]> => {
  const index = await openIndex({ store, model: 'starter' })
  for await (const event of index.ingest([videos])) if (event.type === 'done') console.error(event.totals)
  await index.close()
  const server = await serve({ store, port: 0 })
  try {
    const search = async () => (await get(`${server.url}api/v1/search?n=${shown}&q=${newWords()}`)).json()
    await search()
    const laps: number[] = []
    for (let i = 0; i < searches; i++) laps.push(await time(search))
    const { moments } = (await search()) as { moments: readonly { video: string; t: number }[] }
    const pictures = (width: number) =>
      time(() =>
        Promise.all(
          moments.map(async ({ video, t }) =>
            (await get(`${server.url}api/v1/frames/${video}/${t.toFixed(3)}.jpg?w=${width}`)).arrayBuffer(),
          ),
        ),
      )
    const all = `the first ${moments.length} pictures, all together`
    return [
      row('new words to JSON', laps),
      row(`${all}, as indexing kept them`, [await pictures(320)]),
      row(`${all}, 640 pixels wide, made by ffmpeg`, [await pictures(640)]),
    ]
  } finally {
    await server.close()
  }
}

/** As many at once as clients, each with one search after the other. */
const measureCrowd = async (store: string): Promise<Row[]> => {
  const model = await loadModel('starter')
  const create = { model: model.id, dimension: model.dimension }
  const opened = await openEmbeddedStore(store, { collection, create })
  await fill(opened, count)
  await opened.optimize()
  await opened.close()
  const server = await serve({ store, port: 0 })
  try {
    const search = async () => (await get(`${server.url}api/v1/search?n=${shown}&q=${newWords()}`)).json()
    await search()
    const laps: number[] = []
    const client = async () => {
      for (let i = 0; i < searchesEach; i++) laps.push(await time(search))
    }
    await Promise.all(Array.from({ length: clients }, client))
    return [row(`${clients} clients, ${count.toLocaleString('en')} points`, laps)]
  } finally {
    await server.close()
  }
}

const [videos] = positionals
if (videos === undefined) throw new Error('Expected a folder of videos: npx tsx bench/server.ts FOLDER')
const folder = await mkdtemp(join(tmpdir(), 'vidgrep-bench-server-'))
try {
  process.env.VIDGREP_HOME = join(folder, 'home')
  const results = [
    ...(await measurePage(videos, join(folder, 'videos'))),
    ...(await measureCrowd(join(folder, 'crowd'))),
  ]
  const title = 'What the page waits for: embedded store, starter model, client and server on one machine'
  const notes = ['Pictures that are made by ffmpeg come from the cache when they are asked for again.']
  await report({ name: 'server', title, results, notes }, values.json)
} finally {
  await rm(folder, { recursive: true, force: true })
}
