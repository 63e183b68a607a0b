import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openEmbeddedStore } from '../src/store/embedded/embeddedStore.ts'
import { defaultUpkeep, type Upkeep } from '../src/store/embedded/vectorIndex.ts'
import type { PointFilter, Store } from '../src/store/store.ts'
import { quantile, time } from './measure.ts'
import { clustersOf, fill, videoName } from './points/clustered.ts'
import { type Row, report } from './report.ts'

/*
 * How fast the embedded store is filled, indexed and searched, by scan and through its index, and what the index finds of
 * what the scan finds.
 *
 *   npx tsx bench/store-embedded.ts [--points 100000 | --large] [--dimension 384] [--searches 60] [--folder FOLDER]
 *     [--json FILE]
 *
 * --large: a million points, some ten minutes. A folder that was filled before is searched as it is.
 */

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '100000' },
    large: { type: 'boolean', default: false },
    dimension: { type: 'string', default: '384' },
    searches: { type: 'string', default: '60' },
    folder: { type: 'string' },
    json: { type: 'string' },
  },
})
const count = values.large ? 1_000_000 : Number(values.points)
const [dimension, searches] = [Number(values.dimension), Number(values.searches)]
const folder = values.folder ?? (await mkdtemp(join(tmpdir(), 'vidgrep-bench-store-')))
const limit = 60

const open = (upkeep: Partial<Upkeep>): Promise<Store> =>
  openEmbeddedStore(
    folder,
    { collection: 'bench', create: { model: 'bench', dimension } },
    { ...defaultUpkeep, ...upkeep },
  )

const { member, stranger } = clustersOf(count, dimension, 7)
const list = (make: () => Float32Array) => Array.from({ length: searches }, make)
const near = list(member)
const far = list(stranger)
const tenth = Array.from({ length: Math.ceil(count / 50_000) }, (_, i) => videoName(i))

/** Queries that lie among points, and such as texts are: as far from all of them. */
const questions: readonly { readonly what: string; readonly queries: Float32Array[]; readonly filter?: PointFilter }[] =
  [
    { what: 'all, near a cluster', queries: near },
    { what: 'all, far from any', queries: far },
    { what: 'a tenth of the videos', queries: far, filter: { videos: tenth } },
    { what: 'one video', queries: far, filter: { videos: [videoName(1)] } },
  ]

type Answers = readonly (readonly string[])[]

const ask = async (store: Store, way: string, truths?: readonly Answers[]) => {
  const rows: Row[] = []
  const answers: Answers[] = []
  for (const [i, { what, queries, filter }] of questions.entries()) {
    const laps: number[] = []
    const found: string[][] = []
    const first = () => time(() => store.search(queries[0]!, { limit, filter }))
    const [firstMs, secondMs] = [await first(), await first()]
    for (const query of queries) {
      const lap = async () => found.push((await store.search(query, { limit, filter })).map(({ id }) => id))
      laps.push(await time(lap))
    }
    answers.push(found)
    const recall = truths ? recallOf(found, truths[i]!) : 1
    const [p50Ms, p95Ms] = [quantile(laps, 0.5), quantile(laps, 0.95)]
    rows.push({ what: `${way}: ${what}`, firstMs, secondMs, p50Ms, p95Ms, recall })
  }
  return { rows, answers }
}

const recallOf = (found: Answers, truth: Answers): number => {
  const shares = truth.map((ids, i) => ids.filter((id) => found[i]!.includes(id)).length / ids.length)
  return shares.reduce((sum, share) => sum + share, 0) / shares.length
}

const diskMB = async (): Promise<number> => {
  const names = await readdir(folder, { recursive: true })
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1e6)
}

/** Most memory that this process held so far, `null` where there is no /proc. */
const peakMB = async (): Promise<number | null> => {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kB = /^VmHWM:\s+(\d+)/m.exec(status)?.[1]
  return kB ? Math.round((Number(kB) * 1024) / 1e6) : null
}

const measure = async (): Promise<Row[]> => {
  const rows: Row[] = []
  const scanned = await open({ indexFromPoints: Number.POSITIVE_INFINITY })
  if ((await scanned.countPoints()) === 0) {
    const { upsertSeconds } = await fill(scanned, count)
    const pointsASecond = Math.round(count / upsertSeconds)
    rows.push({ what: 'load, 256 points a call', seconds: upsertSeconds, pointsASecond, diskMB: await diskMB() })
    const seconds = (await time(() => scanned.optimize())) / 1000
    rows.push({ what: 'put files together', seconds, diskMB: await diskMB(), peakMB: await peakMB() })
  }
  // One that has an index already is scanned where no memory is allowed for it.
  await scanned.close()
  const scan = await open({ indexFromPoints: Number.POSITIVE_INFINITY, indexCacheBytes: 1 })
  const { rows: scans, answers } = await ask(scan, 'scan')
  await scan.close()
  rows.push(...scans)
  const indexed = await open({ indexFromPoints: 1 })
  const seconds = (await time(() => indexed.optimize())) / 1000
  rows.push({ what: 'build the index', seconds, diskMB: await diskMB() })
  rows.push(...(await ask(indexed, 'index', answers)).rows, { what: 'in the end', peakMB: await peakMB() })
  await indexed.close()
  return rows
}

try {
  const results = await measure()
  const title = `Embedded store with ${count.toLocaleString('en')} points of ${dimension} numbers, the ${limit} best of each search`
  const notes = [
    `From ${defaultUpkeep.indexFromPoints.toLocaleString('en')} points on a collection has the index; both ways are exact.`,
    'Without a warm-up the first search of a process scans, the second one brings the index into memory.',
  ]
  await report({ name: 'store-embedded', title, results, notes }, values.json)
} finally {
  if (!values.folder) await rm(folder, { recursive: true, force: true })
}
