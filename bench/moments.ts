import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Index, type Moment, openIndex } from '../src/index.ts'
import { pointId } from '../src/store/point.ts'
import type { Hit } from '../src/store/store.ts'
import { gainText, pairedGain } from './bootstrap.ts'
import { carriedClips, clipsIn, type Query } from './clips.ts'
import { type Joined, joinClips } from './joined.ts'
import { allHits } from './recall.ts'
import { report } from './report.ts'

/*
 * Clips joined into long videos: whether a query's own clip is among the first moments, how many clips the first six show
 * and how often they show the same picture again; by the gap of the article alone, and as the product does.
 *
 *   npx tsx bench/moments.ts [FOLDER] [--model M] [--videos 3] [--json FILE]
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'starter' },
    videos: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
})

type Place = Pick<Moment, 'video' | 'path' | 't' | 'patch'>

const gapSeconds = 0.1
const shown = 6

/** What the product did before: the best hits that lie further apart than the gap. */
const byGap = (hits: readonly Hit[]): readonly Place[] => {
  const places: Hit[] = []
  for (const hit of hits) {
    const apart = places.every(
      ({ video, t, until }) => video !== hit.video || Math.max(0, t - hit.until, hit.t - until) > gapSeconds,
    )
    if (apart) places.push(hit)
    if (places.length === shown) break
  }
  return places
}

/** The clip that is seen at a place. */
const clipAt = (joined: readonly Joined[], { path, t }: Place): string | undefined =>
  joined.find((each) => basename(each.path) === basename(path))?.parts.find(({ from, to }) => t >= from && t < to)?.file

type Figures = {
  readonly at1: number
  readonly at3: number
  readonly at5: number
  readonly clips: number
  readonly doubles: number
}

const nearlyEqual = 0.95

const figuresOf = async (
  index: Index,
  joined: readonly Joined[],
  { file }: Query,
  places: readonly Place[],
): Promise<Figures> => {
  const clips = places.map((place) => clipAt(joined, place))
  const within = (most: number) => (clips.slice(0, most).includes(file) ? 100 : 0)
  const ids = places.map(({ video, t, patch }) => pointId(video, index.model.id, t, patch))
  const points = await index.store!.points(ids)
  const seen = ids.map((id) => points.get(id)!.vector)
  const isDouble = (vector: Float32Array, i: number) =>
    seen.slice(0, i).some((other) => other.reduce((sum, x, at) => sum + x * vector[at]!, 0) >= nearlyEqual)
  return {
    at1: within(1),
    at3: within(3),
    at5: within(5),
    clips: new Set(clips).size,
    doubles: seen.filter(isDouble).length,
  }
}

const mean = (figures: readonly Figures[], key: keyof Figures): number =>
  figures.reduce((sum, each) => sum + each[key], 0) / figures.length

const rowOf = (rule: string, figures: readonly Figures[], before: readonly Figures[]) => {
  const gain = (key: keyof Figures) =>
    gainText(
      pairedGain(
        before.map((each) => each[key]),
        figures.map((each) => each[key]),
      ),
    )
  return {
    rule,
    rightAmong1: mean(figures, 'at1'),
    rightAmong3: mean(figures, 'at3'),
    rightAmong5: mean(figures, 'at5'),
    clipsIn6: mean(figures, 'clips'),
    nearDuplicatesIn6: mean(figures, 'doubles'),
    ...(figures === before ? {} : { gainAt1: gain('at1'), gainAt5: gain('at5'), gainInClips: gain('clips') }),
  }
}

const folder = await mkdtemp(join(tmpdir(), 'vidgrep-moments-'))
try {
  const { files, queries } = await clipsIn(positionals[0] ?? carriedClips)
  const joined = await joinClips(files, folder, Number(values.videos))
  const index = await openIndex({ store: join(folder, 'store'), model: values.model })
  try {
    for await (const _ of index.ingest(joined.map(({ path }) => path)));
    const hits = await allHits(index, queries)
    const before: Figures[] = []
    const after: Figures[] = []
    for (const [i, query] of queries.entries()) {
      before.push(await figuresOf(index, joined, query, byGap(hits[i]!)))
      after.push(await figuresOf(index, joined, query, (await index.search(query.text)).moments))
    }
    const results = [rowOf(`gap of ${gapSeconds} s`, before, before), rowOf('moments', after, before)]
    const notes = [
      `${files.length} clips in ${joined.length} videos, ${queries.length} queries, model ${values.model}; gains with 95% intervals, paired by query.`,
    ]
    await report({ name: 'moments', title: 'Moments in clips joined into long videos', results, notes }, values.json)
  } finally {
    await index.close()
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
