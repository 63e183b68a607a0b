import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Index, openIndex, type VideoRecord } from '../src/index.ts'
import { standardOf } from '../src/search/likelihood.ts'
import { scoreOf } from '../src/search/surroundings.ts'
import type { Hit } from '../src/store/store.ts'
import { carriedClips, clipsIn } from './clips.ts'
import { allHits } from './recall.ts'
import { report } from './report.ts'

/*
 * Whether "likely" can be believed, in collections of several sizes: how often a thing that is in none of the clips is
 * called likely (false alarms), and how often one that is in them is (recall); beside a fixed score.
 *
 *   npx tsx bench/cutoff.ts [FOLDER] [--model M] [--absent FILE] [--json FILE]
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'starter' },
    absent: { type: 'string', default: new URL('./absent.txt', import.meta.url).pathname },
    json: { type: 'string' },
  },
})

const strictnesses = [0.75, 0.9]
const fixedScore = 30
/** Random parts of the collection, for each size. */
const draws = 60

/** What a query reaches at best in each video, by fingerprint. */
type BestScores = ReadonlyMap<string, number>

const bestScores = async (
  index: Index,
  queries: readonly { readonly text: string }[],
): Promise<readonly BestScores[]> => {
  const hits = await allHits(
    index,
    queries.map(({ text }) => ({ text, file: '' })),
  )
  return hits.map(bestByVideo)
}

const bestByVideo = (hits: readonly Hit[]): BestScores => {
  const best = new Map<string, number>()
  for (const hit of hits) best.set(hit.video, Math.max(best.get(hit.video) ?? -100, scoreOf(hit)))
  return best
}

const bestIn = (videos: readonly VideoRecord[], scores: BestScores): number =>
  Math.max(...videos.map(({ video }) => scores.get(video) ?? -100))

/** The same parts in every run. */
const parts = (records: readonly VideoRecord[], size: number): readonly (readonly VideoRecord[])[] => {
  if (size >= records.length) return [records]
  let state = 1
  const random = () => (state = (state * 48_271) % 2_147_483_647)
  return Array.from({ length: draws }, () =>
    records
      .map((record) => ({ record, at: random() }))
      .sort((a, b) => a.at - b.at)
      .slice(0, size)
      .map(({ record }) => record),
  )
}

const folder = await mkdtemp(join(tmpdir(), 'vidgrep-cutoff-'))
try {
  const { files, queries } = await clipsIn(positionals[0] ?? carriedClips)
  const absent = (await readFile(values.absent, 'utf8'))
    .trim()
    .split('\n')
    .map((text) => ({ text }))
  const index = await openIndex({ store: join(folder, 'store'), model: values.model })
  try {
    for await (const _ of index.ingest(files));
    const records = await index.videos()
    const [absentScores, presentScores] = [await bestScores(index, absent), await bestScores(index, queries)]
    const row = (clips: number, cutoff: string, scoreIn: (videos: readonly VideoRecord[]) => number) => {
      const counts = { absent: 0, alarms: 0, present: 0, found: 0, cutoffs: 0 }
      const drawn = parts(records, clips)
      for (const videos of drawn) {
        const score = scoreIn(videos)
        const names = videos.map(({ files: [file] }) => basename(file!.path))
        const within = presentScores.filter((_, i) => names.includes(queries[i]!.file))
        counts.cutoffs += score
        counts.absent += absentScores.length
        counts.alarms += absentScores.filter((scores) => bestIn(videos, scores) >= score).length
        counts.present += within.length
        counts.found += within.filter((scores) => bestIn(videos, scores) >= score).length
      }
      return {
        clips,
        cutoff,
        meanCutoff: counts.cutoffs / drawn.length,
        falseAlarms: (100 * counts.alarms) / counts.absent,
        recall: (100 * counts.found) / counts.present,
      }
    }
    const sizes = [1, 5, 20, 75].filter((size) => size < records.length)
    const results = [...sizes, records.length].flatMap((clips) => [
      ...strictnesses.map((strictness) =>
        row(clips, `strictness ${strictness}`, (videos) => standardOf(videos)!.scoreAt(strictness)),
      ),
      row(clips, `a score of ${fixedScore}`, () => fixedScore),
    ])
    const notes = [
      `${absent.length} things that no clip shows, ${queries.length} queries of what one shows, model ${values.model}; ${draws} random parts of the ${files.length} clips for each size. Percent of the queries whose best score is likely.`,
    ]
    await report({ name: 'cutoff', title: 'How far "likely" can be believed', results, notes }, values.json)
  } finally {
    await index.close()
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
