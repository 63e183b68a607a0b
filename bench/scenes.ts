import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { openIndex } from '../src/index.ts'
import { interval } from './bootstrap.ts'
import { carriedClips, clipsIn } from './clips.ts'
import { type Join, type Joined, joinClips } from './joined.ts'
import { report } from './report.ts'

/*
 * Clips joined into long videos, in several orders, by cuts, cross-fades and fades to black: how many of the places where
 * one follows another are found, and how many others, by the product and by ffmpeg's scene filter at the threshold that
 * is best for it on these very videos.
 *
 *   npx tsx bench/scenes.ts [FOLDER] [--orders 2] [--first 0] [--videos 3] [--detail normal] [--json FILE]
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    orders: { type: 'string', default: '2' },
    first: { type: 'string', default: '0' },
    videos: { type: 'string', default: '3' },
    detail: { type: 'string', default: 'normal' },
    json: { type: 'string' },
  },
})

const run = promisify(execFile)

/** Seconds that a change may be found from where it is. Frames are a second apart. */
const tolerance = 1.5

/** A frame of ffmpeg's scene filter. */
type Scored = { readonly t: number; readonly score: number }

type Counts = { readonly right: number; readonly wrong: number; readonly missed: number }

/** Each found change counts for one joint at most. */
const countsOf = (found: readonly number[], joints: readonly number[]): Counts => {
  const left = [...found]
  let right = 0
  for (const joint of joints) {
    const [nearest] = left
      .filter((t) => Math.abs(t - joint) <= tolerance)
      .sort((a, b) => Math.abs(a - joint) - Math.abs(b - joint))
    if (nearest === undefined) continue
    left.splice(left.indexOf(nearest), 1)
    right += 1
  }
  return { right, wrong: left.length, missed: joints.length - right }
}

const f1 = (counts: readonly Counts[]): number => {
  const sum = (key: keyof Counts) => counts.reduce((total, each) => total + each[key], 0)
  return (2 * sum('right')) / (2 * sum('right') + sum('wrong') + sum('missed'))
}

/** Every frame that differs a little from the one before. */
const scored = async (path: string): Promise<readonly Scored[]> => {
  const filter = "select='gte(scene,0.02)',metadata=print:file=-"
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', path, '-vf', filter, '-an', '-f', 'null', '-'], {
    maxBuffer: 1 << 28,
  })
  return [...stdout.matchAll(/pts_time:([\d.]+)\s+lavfi\.scene_score=([\d.]+)/g)].map(([, t, score]) => ({
    t: Number(t),
    score: Number(score),
  }))
}

/** Frames above a threshold; of those within a second the first, as a fade has many. */
const changesAbove = (frames: readonly Scored[], threshold: number): readonly number[] => {
  const changes: number[] = []
  for (const { t, score } of frames) if (score >= threshold && t - (changes.at(-1) ?? -2) > 1) changes.push(t)
  return changes
}

/** The same order for the same number; 0: as they come. */
const ordered = (files: readonly string[], order: number): readonly string[] => {
  let state = 1 + order
  const next = () => {
    state = (state * 48_271) % 2_147_483_647
    return state
  }
  const keyed = files.map((file, i) => ({ file, key: order === 0 ? i : next() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ file }) => file)
}

const jointsOf = ({ parts }: Joined): readonly number[] => parts.slice(1).map(({ from }) => from)

const folder = await mkdtemp(joinPath(tmpdir(), 'vidgrep-scenes-'))
try {
  const { files } = await clipsIn(positionals[0] ?? carriedClips)
  const results = []
  for (const join of ['cut', 'fade', 'black'] as const satisfies readonly Join[]) {
    const joints: (readonly number[])[] = []
    const ours: Counts[] = []
    const theirs: (readonly Scored[])[] = []
    const orders = Array.from({ length: Number(values.orders) }, (_, i) => Number(values.first) + i)
    for (const order of orders) {
      const place = joinPath(folder, `${join}-${order}`)
      await mkdir(place)
      const joined = await joinClips(ordered(files, order), place, Number(values.videos), join)
      const index = await openIndex({ store: joinPath(place, 'store'), model: 'starter' })
      try {
        const paths = joined.map(({ path }) => path)
        for await (const _ of index.ingest(paths, { detail: values.detail as 'normal' }));
        for (const video of joined) {
          const found = (await index.scenes(video.path)).scenes.slice(1).map(({ from }) => from)
          joints.push(jointsOf(video))
          ours.push(countsOf(found, joints.at(-1)!))
          theirs.push(await scored(video.path))
        }
      } finally {
        await index.close()
      }
      await rm(place, { recursive: true, force: true })
    }
    const atThreshold = (threshold: number) =>
      theirs.map((frames, i) => countsOf(changesAbove(frames, threshold), joints[i]!))
    const thresholds = Array.from({ length: 48 }, (_, i) => 0.02 * (i + 1))
    const best = thresholds.reduce((a, b) => (f1(atThreshold(b)) > f1(atThreshold(a)) ? b : a))
    for (const [way, counts] of [
      ['vidgrep scenes', ours],
      [`ffmpeg, scene ${best.toFixed(2)}`, atThreshold(best)],
    ] as const) {
      const { low, high } = interval(counts.length, (drawn) => f1(drawn.map((i) => counts[i]!)))
      const sum = (key: keyof Counts) => counts.reduce((total, each) => total + each[key], 0)
      results.push({
        join,
        way,
        joints: sum('right') + sum('missed'),
        missed: sum('missed'),
        false: sum('wrong'),
        f1: f1(counts).toFixed(3),
        interval: `${low.toFixed(3)} to ${high.toFixed(3)}`,
      })
    }
  }
  const notes = [
    `${files.length} clips in ${values.videos} videos, orders ${values.first} to ${Number(values.first) + Number(values.orders) - 1}, detail ${values.detail}; intervals by drawing the videos again. Fades last half a second, to black and back as long each.`,
    'A change inside a clip counts as false.',
  ]
  await report({ name: 'scenes', title: 'Changes of scene in joined clips', results, notes }, values.json)
} finally {
  await rm(folder, { recursive: true, force: true })
}
