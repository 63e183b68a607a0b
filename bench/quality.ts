import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Detail, details, type Index, openIndex } from '../src/index.ts'
import { planPatches } from '../src/patches/views.ts'
import type { Hit } from '../src/store/store.ts'
import { gainText, pairedGain } from './bootstrap.ts'
import { carriedClips, clipsIn, type Query } from './clips.ts'
import { type Inset, makeInsets } from './insets.ts'
import { allHits } from './recall.ts'
import { type Row, report } from './report.ts'

/*
 * What a level of detail finds: each clip is shown small in another one. Queries of the small clip ask for small things,
 * those of the one around it for what fills the frame. Videos are ranked by their best point; the other video that shows
 * the clip asked for, in the other way, is left out.
 *
 *   npm run bench:quality                                                  the carried clips
 *   npm run bench:quality -- FOLDER [--model M] [--every 2] [--seconds 8]  another folder with an index.tsv, see bench/clips.ts
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'starter' },
    every: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '8' },
    json: { type: 'string' },
  },
})

/** By patches that are stored: which ones a way has, and how a frame's hits, best first, make its score. */
type Way = {
  readonly way: string
  readonly encodes: number
  readonly hits: 'levels' | 'article'
  readonly keep: (hit: Hit) => boolean
  readonly score: (similarities: readonly number[]) => number
}

const best: Way['score'] = ([first]) => first!
const meanOfTwo: Way['score'] = ([first, second = first]) => (first! + second!) / 2

const waysOf = (index: Index): readonly Way[] => {
  const numbers = (grid: Detail | 'article') =>
    new Set(planPatches({ width: 1280, height: 720 }, grid, index.model.image).patches.map(({ number }) => number))
  const way = (grid: Detail | 'article', score: Way['score'], name: string): Way => {
    const kept = numbers(grid)
    const hits = grid === 'article' ? 'article' : 'levels'
    return { way: name, encodes: kept.size, hits, keep: ({ patch }) => kept.has(patch), score }
  }
  return [
    ...[...details, 'article' as const].map((grid) => way(grid, best, grid)),
    way('normal', meanOfTwo, 'normal, mean of two'),
  ]
}

/** Videos by their best frame. */
const orderOf = (hits: readonly Hit[], { keep, score }: Way): readonly string[] => {
  const frames = new Map<string, { path: string; similarities: number[] }>()
  for (const hit of hits) {
    if (!keep(hit)) continue
    const key = `${hit.path} ${hit.t}`
    const frame = frames.get(key)
    if (frame) frame.similarities.push(hit.similarity)
    else frames.set(key, { path: hit.path, similarities: [hit.similarity] })
  }
  const scored = [...frames.values()].map(({ path, similarities }) => ({ path, score: score(similarities) }))
  return [...new Set(scored.sort((a, b) => b.score - a.score).map(({ path }) => basename(path)))]
}

type Kind = 'inset' | 'background'

/** Rank of the video that shows what a query asks for in this way, from 1 on; 0 if it is not found. */
const rankOf = (order: readonly string[], { file }: Query, kind: Kind, insets: readonly Inset[]): number => {
  const shows = (kind: Kind) => basename(insets.find((video) => video[kind] === file)!.path)
  const leftOut = shows(kind === 'inset' ? 'background' : 'inset')
  return order.filter((name) => name !== leftOut).indexOf(shows(kind)) + 1
}

const within = (ranks: readonly number[], most: number) => ranks.map((rank) => (rank > 0 && rank <= most ? 100 : 0))
const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length

const measure = async (files: readonly string[], queries: readonly Query[], home: string): Promise<readonly Row[]> => {
  const insets = await makeInsets(files, home, Number(values.seconds))
  const index = await openIndex({ store: join(home, 'levels'), model: values.model })
  const article = await openIndex({ store: join(home, 'article'), model: values.model })
  try {
    const paths = insets.map(({ path }) => path)
    const options = { everySeconds: Number(values.every), tolerance: 0 }
    for await (const _ of index.ingest(paths, { ...options, detail: 'high' }));
    for await (const _ of article.ingest(paths, { ...options, grid: 'article' }));
    const hits = { levels: await allHits(index, queries), article: await allHits(article, queries) }
    const ways = waysOf(index)
    const ranksOf = (way: Way, kind: Kind) =>
      queries.map((query, i) => rankOf(orderOf(hits[way.hits][i]!, way), query, kind, insets))
    const compared = ways.find(({ way }) => way === 'article')!
    return ways.map((way) => {
      const figures = (['inset', 'background'] as const).flatMap((kind) => {
        const [ranks, before] = [ranksOf(way, kind), ranksOf(compared, kind)]
        return [1, 5].flatMap((most): [string, string | number][] => [
          [`${kind} at ${most}`, mean(within(ranks, most))],
          [`${kind} at ${most}, gain`, gainText(pairedGain(within(before, most), within(ranks, most)))],
        ])
      })
      return { way: way.way, encodes: way.encodes, ...Object.fromEntries(figures) }
    })
  } finally {
    await index.close()
    await article.close()
  }
}

const name = 'quality'
const title = 'Right video found for what is small in the frame and for what fills it, in percent of the queries'
const folder = positionals[0] ?? carriedClips
const { files, queries } = await clipsIn(folder)
const home = await mkdtemp(join(tmpdir(), 'vidgrep-quality-'))
try {
  const canRun = queries.length > 0 && files.length > 2
  const notes = canRun
    ? [
        `${files.length} clips, each shown at 1/2 to 1/3.5 of the width in another one, ${queries.length} queries of each kind, model ${values.model}; a frame every ${values.every} s of the first ${values.seconds} s, every patch encoded.`,
        'Gains over the article’s grid with 95% intervals, paired by query. Encodes: patches of a frame at 16:9.',
      ]
    : [`Not run: ${folder} has no index.tsv with queries, or fewer than three clips.`]
  await report({ name, title, results: canRun ? await measure(files, queries, home) : [], notes }, values.json)
} finally {
  await rm(home, { recursive: true, force: true })
}
