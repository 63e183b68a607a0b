import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, extname, join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { openIndex, probe } from '../src/index.ts'
import { interval } from './bootstrap.ts'
import { carriedClips, clipsIn } from './clips.ts'
import { report } from './report.ts'

/*
 * Copies of clips as people make them, and files of one colour and of noise: how many pairs of copies are found, by the
 * kind of the copy, and how many pairs that are none.
 *
 *   npx tsx bench/copies.ts [FOLDER] [--from 0] [--clips 10] [--model starter] [--json FILE]
 *
 * Copies are made of the clips from the given one on; the others of the folder are there to be told apart.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string', default: '0' },
    clips: { type: 'string', default: '10' },
    model: { type: 'string', default: 'starter' },
    json: { type: 'string' },
  },
})

const run = promisify(execFile)
const ffmpeg = (words: readonly string[]) => run('ffmpeg', ['-v', 'error', '-y', '-nostdin', '-an', ...words])

const even = 'scale=trunc(iw/2)*2:trunc(ih/2)*2'
const filtered = (filter: string, crf = 23): readonly string[] => [
  ...['-vf', filter, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-crf', `${crf}`],
]

/** What is done to a clip of so many seconds: options before and after its file. */
const kinds: Readonly<Record<string, (seconds: number) => { before?: readonly string[]; after: readonly string[] }>> = {
  encoded: () => ({ after: filtered(even, 35) }),
  'mpeg4, 12 fps': () => ({ after: ['-vf', `fps=12,${even}`, '-c:v', 'mpeg4', '-q:v', '8'] }),
  scaled: () => ({ after: filtered('scale=320:-2') }),
  cropped: () => ({ after: filtered(`crop=iw*0.8:ih*0.8,${even}`) }),
  graded: () => ({ after: filtered(`eq=brightness=0.06:saturation=1.3:contrast=1.1,${even}`) }),
  logo: () => ({ after: filtered(`${even},drawbox=iw*0.75:ih*0.05:iw*0.2:ih*0.12:white:fill`) }),
  letterbox: () => ({
    after: filtered('scale=640:640:force_original_aspect_ratio=decrease:force_divisible_by=2,pad=640:640:-1:-1:black'),
  }),
  trimmed: (seconds) => ({
    before: ['-ss', `${seconds / 4}`],
    after: ['-t', `${seconds / 2}`, ...filtered(even)],
  }),
}

/** Files that show nothing: no pair of them is a copy. */
const empty: Readonly<Record<string, string>> = {
  black: 'color=c=black:s=320x240:r=10',
  white: 'color=c=white:s=320x240:r=10',
  blue: 'color=c=blue:s=320x240:r=10',
  red: 'color=c=red:s=640x360:r=25',
  'grained black': 'color=c=black:s=640x360:r=25,noise=alls=4:allf=t',
  noise: 'color=c=gray:s=320x240:r=10,noise=alls=100:allf=t',
}

type Made = { readonly path: string; readonly clip: string; readonly kind: string; readonly seconds: number }

const makeAll = async (files: readonly string[], folder: string): Promise<readonly Made[]> => {
  const made: Made[] = []
  const first = Number(values.from)
  for (const [i, file] of files.entries()) {
    const clip = basename(file)
    const seconds = (await probe(file)).durationSeconds ?? 0
    const original = join(folder, `${i}-original${extname(file)}`)
    await copyFile(file, original)
    made.push({ path: original, clip, kind: 'original', seconds })
    if (i < first || i >= first + Number(values.clips)) continue
    for (const [kind, change] of Object.entries(kinds)) {
      const path = join(folder, `${i}-${kind.replaceAll(/\W+/g, '-')}.mp4`)
      const { before = [], after } = change(seconds)
      await ffmpeg([...before, '-i', file, ...after, path])
      made.push({ path, clip, kind, seconds })
    }
  }
  for (const [kind, source] of Object.entries(empty)) {
    const path = join(folder, `${kind.replace(' ', '-')}.mp4`)
    const shape = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
    await ffmpeg(['-f', 'lavfi', '-i', source, '-t', '8', ...shape, path])
    made.push({ path, clip: kind, kind: 'empty', seconds: 8 })
  }
  return made
}

type Pair = {
  readonly kinds: readonly string[]
  readonly clip: string
  readonly seconds: number
  readonly isFound: boolean
}

const folder = await mkdtemp(join(tmpdir(), 'vidgrep-copies-'))
try {
  const { files } = await clipsIn(positionals[0] ?? carriedClips)
  const made = await makeAll(files, folder)
  const index = await openIndex({ store: join(folder, 'store'), model: values.model })
  try {
    // What decides are whole frames.
    for await (const _ of index.ingest([folder], { detail: 'whole' }));
    const groups = await index.copies()
    const shared = new Set(
      groups.flatMap((group) => group.shared.map(({ video, other }) => [video, other].sort().join())),
    )
    const videoAt = new Map(
      (await index.videos()).flatMap(({ video, files }) => files.map(({ path }) => [path, video])),
    )
    const groupAt = new Map(groups.flatMap(({ videos }, i) => videos.map(({ path }) => [path, i])))
    const pairs: Pair[] = []
    const together: boolean[] = []
    let [others, wrong, wrongTogether] = [0, 0, 0]
    for (const [i, one] of made.entries()) {
      for (const other of made.slice(i + 1)) {
        const isFound = shared.has([videoAt.get(one.path)!, videoAt.get(other.path)!].sort().join())
        const isTogether = groupAt.has(one.path) && groupAt.get(one.path) === groupAt.get(other.path)
        if (one.clip === other.clip) {
          pairs.push({ kinds: [one.kind, other.kind], clip: one.clip, seconds: one.seconds, isFound })
          together.push(isTogether)
        } else {
          others += 1
          wrong += isFound ? 1 : 0
          wrongTogether += isTogether ? 1 : 0
        }
      }
    }
    const share = (some: readonly Pair[]) => (100 * some.filter(({ isFound }) => isFound).length) / some.length
    const rowOf = (name: string, some: readonly Pair[]) => {
      const clips = [...new Set(some.map(({ clip }) => clip))]
      const { low, high } = interval(clips.length, (drawn) =>
        share(drawn.flatMap((i) => some.filter(({ clip }) => clip === clips[i]))),
      )
      return {
        pairs: name,
        count: some.length,
        found: share(some),
        interval: `${low.toFixed(1)} to ${high.toFixed(1)}`,
      }
    }
    const results = [
      ...['original', ...Object.keys(kinds)].map((kind) =>
        rowOf(
          `${kind} and any other`,
          pairs.filter((pair) => pair.kinds.includes(kind)),
        ),
      ),
      rowOf('all', pairs),
      rowOf(
        'all of clips of 5 s or more',
        pairs.filter(({ seconds }) => seconds >= 5),
      ),
    ]
    const notes = [
      `${values.clips} clips from number ${values.from} on, each in ${Object.keys(kinds).length} copies; model ${values.model}; intervals by drawing the clips again.`,
      `${wrong} of ${others} pairs that show different things were taken for copies (${wrongTogether} by way of a third).`,
      `${together.filter(Boolean).length} of ${together.length} pairs are in one group, as vidgrep copies and searches take them.`,
    ]
    await report({ name: 'copies', title: 'Copies that are found, %', results, notes }, values.json)
  } finally {
    await index.close()
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
