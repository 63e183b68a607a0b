import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openIndex } from '../src/index.ts'
import type { Hit } from '../src/store/store.ts'
import { carriedClips, clipsIn } from './clips.ts'
import { allHits, orderOf, recallOf } from './recall.ts'
import { report } from './report.ts'

/*
 * How often the right clip comes first, in the first 5 and in the first 10: with the whole frame alone, with the squares
 * alone, with both. Clips are ranked by their best point.
 *
 *   npm run bench:quality                                     the carried clips
 *   npm run bench:quality -- FOLDER [--model M] [--every 1]   another folder with an index.tsv, see bench/clips.ts
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'starter' },
    every: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
})

const kinds: readonly { readonly points: string; readonly keep: (hit: Hit) => boolean }[] = [
  { points: 'whole frame', keep: ({ patch }) => patch === 0 },
  { points: 'squares', keep: ({ patch }) => patch > 0 },
  { points: 'both', keep: () => true },
]

const name = 'quality'
const title = 'Right clip found by its best point, in percent of the queries'
const folder = positionals[0] ?? carriedClips
const clips = await clipsIn(folder)
const store = await mkdtemp(join(tmpdir(), 'vidgrep-quality-'))

const measure = async (): Promise<void> => {
  const { queries, files } = clips
  const index = await openIndex({ store, model: values.model })
  try {
    const notes = [`${files.length} clips, ${queries.length} queries, model ${values.model}.`]
    for await (const event of index.ingest(files, { everySeconds: Number(values.every) })) {
      if (event.type !== 'video' || event.result.status === 'complete') continue
      notes.push(`${event.result.path} is ${event.result.status}: ${event.result.reason}.`)
    }
    const hits = await allHits(index, queries)
    const results = kinds.map(({ points, keep }) => {
      return {
        points,
        ...recallOf(
          queries,
          hits.map((each) => orderOf(each.filter(keep))),
        ),
      }
    })
    await report({ name, title, results, notes }, values.json)
  } finally {
    await index.close()
  }
}

try {
  if (clips.queries.length > 0) await measure()
  else
    await report(
      { name, title, results: [], notes: [`Not run: ${folder} has no index.tsv with queries.`] },
      values.json,
    )
} finally {
  await rm(store, { recursive: true, force: true })
}
