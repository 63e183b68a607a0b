/**
 * How often the right clip comes first, in the first 5 and in the first 10, for a table of clips and queries: once with
 * the whole frame alone, once with the squares alone, once with both. Clips are ranked by their best point.
 *
 *   npm run bench:quality                                  the carried clips
 *   npm run bench:quality -- FOLDER/index.tsv [--model M]  another table: `file`, …, `queries` split by `;`
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { openEncoder } from '../src/encoder/open.ts'
import { openIndex } from '../src/index.ts'
import { loadModel } from '../src/models/load.ts'
import type { Hit } from '../src/store/store.ts'

type Query = { readonly text: string; readonly file: string }

type Figures = { readonly first: number; readonly in5: number; readonly in10: number; readonly mrr: number }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { model: { type: 'string', default: 'starter' }, every: { type: 'string', default: '1' } },
})
const table = positionals[0] ?? new URL('../test/clips/index.tsv', import.meta.url).pathname

const readTable = async (path: string): Promise<readonly Query[]> => {
  const [header, ...rows] = (await readFile(path, 'utf8')).trim().split('\n')
  const column = header!.split('\t').findIndex((name) => name.startsWith('queries'))
  return rows.flatMap((row) => {
    const cells = row.split('\t')
    return cells[column]!.split(';').map((text) => ({ file: cells[0]!, text: text.replace(/\([\d–-]+\)/, '').trim() }))
  })
}

/** Clips by their best hit, best first. */
const rankOf = (file: string, hits: readonly Hit[]): number =>
  [...new Set(hits.map(({ path }) => basename(path)))].indexOf(file) + 1

const figuresOf = (ranks: readonly number[]): Figures => {
  const share = (most: number) => (100 * ranks.filter((rank) => rank > 0 && rank <= most).length) / ranks.length
  const mrr = ranks.reduce((sum, rank) => sum + (rank > 0 ? 1 / rank : 0), 0) / ranks.length
  return { first: share(1), in5: share(5), in10: share(10), mrr }
}

const kinds: readonly { readonly name: string; readonly keep: (hit: Hit) => boolean }[] = [
  { name: 'whole frame', keep: ({ patch }) => patch === 0 },
  { name: 'squares', keep: ({ patch }) => patch > 0 },
  { name: 'both', keep: () => true },
]

const folder = await mkdtemp(join(tmpdir(), 'vidgrep-quality-'))
try {
  const queries = await readTable(table)
  const files = [...new Set(queries.map(({ file }) => join(dirname(table), file)))]
  const index = await openIndex({ store: folder, model: values.model })
  for await (const event of index.ingest(files, { everySeconds: Number(values.every) })) {
    if (event.type === 'done') console.log(`${event.totals.videos} clips, ${event.totals.points} points`)
    if (event.type === 'video' && event.result.status !== 'complete') console.log(event.result)
  }
  const store = index.store!
  const encoder = await openEncoder(await loadModel(values.model))
  const vectors = await encoder.encodeTexts(queries.map(({ text }) => text))
  const limit = await store.countPoints()
  const hits = await Promise.all(vectors.map((vector) => store.search(vector, { limit })))
  console.log(`${queries.length} queries, model ${values.model}, right clip by its best point:`)
  for (const { name, keep } of kinds) {
    const { first, in5, in10, mrr } = figuresOf(queries.map(({ file }, i) => rankOf(file, hits[i]!.filter(keep))))
    const cells = [first, in5, in10].map((share) => share.toFixed(1).padStart(6))
    console.log(`${name.padEnd(12)} R@1 ${cells[0]}  R@5 ${cells[1]}  R@10 ${cells[2]}  MRR ${mrr.toFixed(3)}`)
  }
  await encoder.close()
  await index.close()
} finally {
  await rm(folder, { recursive: true, force: true })
}
