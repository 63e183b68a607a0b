import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import sharp from 'sharp'
import {
  type ExamplePicture,
  frame,
  type Index,
  openIndex,
  probe,
  type Query,
  type SearchResult,
} from '../src/index.ts'
import { carriedClips, clipsIn } from './clips.ts'
import { report } from './report.ts'

/*
 * What phrases, pictures and feedback find. Of neighbouring clips a third video is made that shows both side by side: it is
 * what "one" + "other" should find, and what "one" - "other" should not.
 *
 *   npx tsx bench/asking.ts [FOLDER] [--model M] [--store DIR] [--json FILE]
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { model: { type: 'string', default: 'starter' }, store: { type: 'string' }, json: { type: 'string' } },
})

type Pair = { readonly one: string; readonly other: string; readonly both: string }

const run = promisify(execFile)
const half = 'fps=4,scale=320:360:force_original_aspect_ratio=increase,crop=320:360,setsar=1,trim=duration=4'

const besideEachOther = async (files: readonly string[], folder: string): Promise<readonly Pair[]> => {
  const pairs: Pair[] = []
  for (let i = 0; i + 1 < files.length; i += 2) {
    const [one, other] = [files[i]!, files[i + 1]!]
    const both = join(folder, `both-${i / 2}.mp4`)
    const graph = `[0:v:0]${half}[a];[1:v:0]${half}[b];[a][b]hstack`
    const output = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', '-pix_fmt', 'yuv420p', both]
    await run('ffmpeg', ['-v', 'error', '-y', '-i', one, '-i', other, '-filter_complex', graph, ...output])
    pairs.push({ one: basename(one), other: basename(other), both: basename(both) })
  }
  return pairs
}

const videosOf = ({ moments }: SearchResult): readonly string[] => [
  ...new Set(moments.map(({ path }) => basename(path))),
]
const percent = (flags: readonly boolean[]): number => (100 * flags.filter(Boolean).length) / flags.length
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length
const rankIn = (found: readonly string[], file: string): number => found.indexOf(file) + 1 || found.length + 1

/** The first query of each clip, in the words of a phrase. */
const phrasesOf = async (folder: string): Promise<ReadonlyMap<string, string>> => {
  const { queries } = await clipsIn(folder)
  return new Map(queries.toReversed().map(({ file, text }) => [file, text]))
}

const together = async (index: Index, pairs: readonly Pair[], phrases: ReadonlyMap<string, string>) => {
  const ways: Record<string, (a: string, b: string) => string> = {
    'text "A and B"': (a, b) => `${a} and ${b}`,
    '"A" + "B"': (a, b) => `"${a}" + "${b}"`,
  }
  const rows = []
  for (const [way, write] of Object.entries(ways)) {
    const ranks: number[] = []
    for (const { one, other, both } of pairs) {
      const found = await index.search(write(phrases.get(one)!, phrases.get(other)!), { n: 20 })
      ranks.push(rankIn(videosOf(found), both))
    }
    rows.push({ asked: way, rightFirst: percent(ranks.map((rank) => rank === 1)), mrr: mean(ranks.map((r) => 1 / r)) })
  }
  return rows
}

/** What the first moment shows: the wanted clip, the one with the unwanted as well, or another. */
const without = async (index: Index, pairs: readonly Pair[], phrases: ReadonlyMap<string, string>) => {
  const ways: Record<string, (a: string, b: string) => string> = {
    'text "A"': (a) => a,
    'text "A without B"': (a, b) => `${a} without ${b}`,
    '"A" - "B"': (a, b) => `"${a}" - "${b}"`,
  }
  const asked = pairs.flatMap(({ one, other, both }) => [
    { wanted: one, unwanted: other, both },
    { wanted: other, unwanted: one, both },
  ])
  const rows = []
  for (const [way, write] of Object.entries(ways)) {
    const first: { readonly isWanted: boolean; readonly isUnwanted: boolean }[] = []
    for (const { wanted, unwanted, both } of asked) {
      const found = await index.search(write(phrases.get(wanted)!, phrases.get(unwanted)!), { n: 1 })
      const [file] = videosOf(found)
      first.push({ isWanted: file === wanted, isUnwanted: file === both || file === unwanted })
    }
    rows.push({
      asked: way,
      rightFirst: percent(first.map(({ isWanted }) => isWanted)),
      unwantedFirst: percent(first.map(({ isUnwanted }) => isUnwanted)),
    })
  }
  return rows
}

const alterations: Record<string, (jpeg: Buffer, width: number, height: number) => Promise<Buffer>> = {
  mirrored: (jpeg) => sharp(jpeg).flop().jpeg().toBuffer(),
  'middle half': (jpeg, w, h) => crop(jpeg, w / 4, h / 4, w / 2, h / 2),
  'corner of half': (jpeg, w, h) => crop(jpeg, 0, h / 2, w / 2, h / 2),
  'left half': (jpeg, w, h) => crop(jpeg, 0, 0, w / 2, h),
  'JPEG 30': (jpeg) => sharp(jpeg).jpeg({ quality: 30 }).toBuffer(),
}

const crop = (jpeg: Buffer, x: number, y: number, w: number, h: number): Promise<Buffer> => {
  const [left, top, width, height] = [x, y, w, h].map(Math.floor) as [number, number, number, number]
  return sharp(jpeg).extract({ left, top, width, height }).jpeg().toBuffer()
}

/** Frames between the sampled ones. The videos with two clips count as theirs. */
const pictures = async (index: Index, files: readonly string[], pairs: readonly Pair[]) => {
  const found = new Map<string, boolean[]>(Object.keys(alterations).map((name) => [name, []]))
  for (const file of files) {
    const { durationSeconds = 2 } = await probe(file)
    for (const share of [0.3, 0.7]) {
      const { data, width, height } = await frame(file, durationSeconds * share + 0.4)
      const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
        .jpeg({ quality: 95 })
        .toBuffer()
      for (const [name, alter] of Object.entries(alterations)) {
        const image = await alter(jpeg, width, height)
        const [first] = videosOf(await index.search({ like: [{ image }] }, { n: 1 }))
        const mine = pairs.find(({ one, other }) => [one, other].includes(basename(file)))?.both
        found.get(name)!.push(first === basename(file) || first === mine)
      }
    }
  }
  return [...found].map(([picture, right]) => ({ asked: `picture, ${picture}`, rightFirst: percent(right) }))
}

/**
 * A user who looks for one clip and was shown others: each round likes what looks most like it among six, dislikes what
 * looks least like it, and asks again. The clip's rank is that among the clips without a verdict.
 */
const feedback = async (index: Index, files: readonly string[]) => {
  const { queries } = await clipsIn(positionals[0] ?? carriedClips)
  const ranks: number[][] = [[], [], [], []]
  const seen = new Map<string, SearchResult>()
  for (const { text, file } of queries) {
    const target = files.find((path) => basename(path) === file)!
    const { durationSeconds = 2 } = await probe(target)
    const all = seen.get(file) ?? (await index.similar({ video: target, t: durationSeconds / 2 }, { n: 40 }))
    seen.set(file, all)
    // How alike the user finds what is shown.
    const alike = (path: string) =>
      Math.max(...all.moments.filter((m) => m.path === path).map(({ score }) => score), -1)
    let query: Query = text
    const [like, unlike]: [ExamplePicture[], ExamplePicture[]] = [[], []]
    const judged = new Set<string>()
    for (const round of ranks) {
      const found = await index.search(query, { n: 60 })
      const moments = found.moments.filter(({ path }) => !judged.has(path))
      round.push(rankIn([...new Set(moments.map(({ path }) => basename(path)))], file))
      const shown = moments.filter(({ path }) => basename(path) !== file).slice(0, 6)
      const order = shown.toSorted((a, b) => alike(b.path) - alike(a.path))
      if (order[0]) like.push({ video: order[0].video, t: order[0].t, box: order[0].box })
      const worst = order.at(-1)
      if (worst) unlike.push({ video: worst.video, t: worst.t, box: worst.box })
      for (const moment of [order[0], worst]) if (moment) judged.add(moment.path)
      query = { text, like: [...like], unlike: [...unlike] }
    }
  }
  return ranks.map((round, i) => ({
    asked: i === 0 ? 'words' : `words, ${i} ${i === 1 ? 'like' : 'likes'} and as many dislikes`,
    rightFirst: percent(round.map((rank) => rank === 1)),
    mrr: mean(round.map((rank) => 1 / rank)),
    meanRank: mean(round),
  }))
}

const folder = await mkdtemp(join(tmpdir(), 'vidgrep-asking-'))
try {
  const clips = positionals[0] ?? carriedClips
  const { files } = await clipsIn(clips)
  const pairs = await besideEachOther(files, folder)
  const index = await openIndex({ store: values.store ?? join(folder, 'store'), model: values.model })
  try {
    for await (const _ of index.ingest(files));
    // Without the others, of which half shows something else.
    const alone = await feedback(index, files)
    for await (const _ of index.ingest(pairs.map(({ both }) => join(folder, both))));
    const phrases = await phrasesOf(clips)
    const results = [
      ...(await together(index, pairs, phrases)),
      ...(await without(index, pairs, phrases)),
      ...(await pictures(index, files, pairs)),
      ...alone,
    ]
    const notes = [
      `${files.length} clips and ${pairs.length} videos of two of them side by side, model ${values.model}.`,
      'What is right: for + the video of both, for - the clip alone, for pictures their clip.',
    ]
    await report({ name: 'asking', title: 'What phrases, pictures and feedback find', results, notes }, values.json)
  } finally {
    await index.close()
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
