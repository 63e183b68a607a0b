import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Detail, openIndex } from '../src/index.ts'
import type { IngestTotals } from '../src/ingest/events.ts'
import { carriedClips, clipsIn } from './clips.ts'
import { allHits, orderOf, recallOf } from './recall.ts'
import { type Row, report } from './report.ts'

/*
 * What not encoding unchanged patches again saves, and what it costs: patches skipped against recall kept, for tolerances
 * from none to far too much.
 *
 *   npx tsx bench/reuse.ts [FOLDER] [--tolerances 0,1,2,3] [--detail normal] [--json FILE]
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tolerances: { type: 'string', default: '0,1,2,3,4,6,8,16' },
    detail: { type: 'string', default: 'normal' },
    json: { type: 'string' },
  },
})
const clips = await clipsIn(positionals[0] ?? carriedClips)
const detail = values.detail as Detail
const home = await mkdtemp(join(tmpdir(), 'vidgrep-reuse-'))

const measure = async (tolerance: number): Promise<Row> => {
  const index = await openIndex({ store: join(home, `${tolerance}`), model: 'starter' })
  try {
    let totals: IngestTotals | undefined
    for await (const event of index.ingest(clips.files, { tolerance, detail })) {
      if (event.type === 'done') totals = event.totals
    }
    const { encoded, unchanged } = totals!
    const hits = await allHits(index, clips.queries)
    const skippedPercent = (100 * unchanged) / (encoded + unchanged)
    return { tolerance, encoded, skippedPercent, ...recallOf(clips.queries, hits.map(orderOf)) }
  } finally {
    await index.close()
  }
}

try {
  const results: Row[] = []
  for (const tolerance of values.tolerances.split(',')) results.push(await measure(Number(tolerance)))
  const { files, videoSeconds, queries } = clips
  const notes = [
    `${files.length} clips, ${videoSeconds.toFixed(1)} s of video, ${queries.length} queries; starter model, --detail ${detail}, a frame a second.`,
    'Tolerance: mean difference of thumbnails in levels of 255 up to which a patch counts as unchanged; 0 encodes all.',
  ]
  await report({ name: 'reuse', title: 'Unchanged patches skipped against recall kept', results, notes }, values.json)
} finally {
  await rm(home, { recursive: true, force: true })
}
