/**
 * How fast the embedded store loads and searches, and what its index finds of what exact search finds.
 *
 *   npx tsx bench/store-embedded.ts [points] [dimension] [folder]
 *
 * Points lie in clusters, as patches of videos do: uniformly random vectors have no neighbourhoods to index. A folder
 * that was filled before is searched as it is.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedStore } from '../src/store/embedded/store.ts'
import { defaultUpkeep } from '../src/store/embedded/upkeep.ts'
import { pointId } from '../src/store/point.ts'
import type { Point, Store } from '../src/store/store.ts'
import { normal, randomNumbers } from '../test/store/samples.ts'

const [count = 100_000, dimension = 384] = process.argv.slice(2, 4).map(Number)
const folder = process.argv[4] ?? (await mkdtemp(join(tmpdir(), 'vidgrep-bench-')))
const limit = 60
const batchSize = 256
const searches = 60
const pointsPerVideo = 5000

const random = randomNumbers(1)
const direction = (around?: Float32Array): Float32Array => {
  const numbers = Float32Array.from({ length: dimension }, (_, i) => (around?.[i] ?? 0) * 1.7 + 0.06 * normal(random))
  const length = Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0))
  return numbers.map((x) => x / length)
}
const centres = Array.from({ length: Math.max(50, count / 200) }, () => direction())
const member = () => direction(centres[Math.floor(random() * centres.length)])

const point = (i: number): Point => {
  const video = `video-${Math.floor(i / pointsPerVideo)}`
  const t = (i % pointsPerVideo) / 18
  const id = pointId(video, 'bench', t, i % 18)
  return { id, vector: member(), video, path: `/v/${video}.mp4`, t, until: t, patch: i % 18, box: [0, 0, 1, 1] }
}

const open = (indexFromPoints: number) =>
  openEmbeddedStore(
    folder,
    { collection: 'bench', create: { model: 'bench', dimension } },
    { ...defaultUpkeep, indexFromPoints },
  )

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

const load = async (store: Store): Promise<void> => {
  const laps: number[] = []
  for (let at = 0; at < count; at += batchSize) {
    const batch = Array.from({ length: Math.min(batchSize, count - at) }, (_, i) => point(at + i))
    laps.push(await seconds(() => store.upsert(batch)))
  }
  const total = laps.reduce((sum, lap) => sum + lap, 0)
  const late = laps.slice(-50).sort((a, b) => a - b)
  console.log(`load        ${Math.round(count / total)} points/s in batches of ${batchSize}`)
  console.log(`            last batches ${ms(late.at(25) ?? 0)} at the median, slowest of all ${ms(Math.max(...laps))}`)
}

const search = async (store: Store, name: string, queries: readonly Float32Array[], filter = {}) => {
  const found: ReadonlySet<string>[] = []
  const laps: number[] = []
  await store.search(queries[0]!, { limit, filter })
  for (const query of queries) {
    laps.push(
      await seconds(async () =>
        found.push(new Set((await store.search(query, { limit, filter })).map(({ id }) => id))),
      ),
    )
  }
  laps.sort((a, b) => a - b)
  const [p50, p95] = [laps[Math.floor(laps.length * 0.5)]!, laps[Math.floor(laps.length * 0.95)]!]
  console.log(`${name.padEnd(26)} p50 ${ms(p50)}  p95 ${ms(p95)}`)
  return found
}

const recall = (found: readonly ReadonlySet<string>[], truth: readonly ReadonlySet<string>[]): string => {
  const shares = truth.map((ids, i) => [...ids].filter((id) => found[i]!.has(id)).length / ids.size)
  return `recall@${limit} ${(shares.reduce((sum, share) => sum + share, 0) / shares.length).toFixed(4)}, worst ${Math.min(...shares).toFixed(3)}`
}

const ms = (duration: number): string => `${(duration * 1000).toFixed(1)} ms`

const kinds = { 'near a cluster': member, 'far from all, as texts are': () => direction() }
const importing = await seconds(() => import('@lancedb/lancedb'))
console.log(`engine      loaded in ${ms(importing)}`)
const exact = await open(Number.POSITIVE_INFINITY)
if ((await exact.countPoints()) === 0) await load(exact)
const queries = Object.entries(kinds).map(([kind, make]) => ({ kind, list: Array.from({ length: searches }, make) }))
const truths = []
const oneVideo = { videos: ['video-3'] }
if ((await exact.describe()).exact) {
  await search(exact, 'exact, as loaded', queries[0]!.list)
  console.log(`tidy        ${ms(await seconds(() => exact.optimize()))}`)
}
for (const { kind, list } of queries) truths.push(await search(exact, `exact, ${kind}`, list))
await search(exact, 'exact, in one video', queries[0]!.list, oneVideo)
await exact.close()

const indexed = await open(1)
console.log(`index       ${ms(await seconds(() => indexed.optimize()))}`)
for (const [i, { kind, list }] of queries.entries()) {
  console.log(`            ${recall(await search(indexed, `index, ${kind}`, list), truths[i]!)}`)
}
await search(indexed, 'index, in one video', queries[0]!.list, oneVideo)
await indexed.close()
if (!process.argv[4]) await rm(folder, { recursive: true })
