import { carriedClips, clipsIn } from './clips.ts'
import { article, articleMissing, raceOptions, vidgrep, withHome } from './contenders.ts'
import { race } from './race.ts'
import { report } from './report.ts'

/*
 * How fast videos are looked through, whole processes from start to end, against the article's own algorithm
 * (bench/article.py) with the same model and the same squares.
 *
 *   npm run build && npx tsx bench/ingest.ts [FOLDER] [--rounds 3] [--python python3] [--program dist/cli/main.js] [--json FILE]
 */

const { folder = carriedClips, rounds, python, program, json } = raceOptions()
const clips = await clipsIn(folder)
const missing = await articleMissing(python)

/** The article's squares, so that both sides encode the same; and what a user gets who asks for nothing else. */
const ways: Readonly<Record<string, readonly string[]>> = {
  'vidgrep --no-reuse': ['--grid', 'article', '--no-reuse'],
  vidgrep: ['--grid', 'article'],
  'vidgrep --keyframes': ['--grid', 'article', '--keyframes'],
  'vidgrep --detail normal': ['--detail', 'normal'],
}

const results = await withHome(clips.files[0]!, program, (home) => {
  const ours = Object.entries(ways).map(([name, options]) => vidgrep(name, options, home, program))
  return race(missing ? ours : [article(python, home), ...ours], clips, rounds)
})
const { files, videoSeconds, queries } = clips
const notes = [
  `${files.length} clips, ${videoSeconds.toFixed(1)} s of video, ${queries.length} queries; starter model; squares of 360 px (--grid article) where no detail is named.`,
  'The article leaves out the frame at 0 and takes frames more than a second apart, not a second: so it has fewer to encode.',
  'Whole processes, from start to end; peak MB is what each and all under it held at one moment.',
  ...(missing ? [missing] : []),
]
const runs = rounds === 1 ? 'one run of each' : `medians of ${rounds} interleaved runs`
const title = `Videos looked through: video seconds a second, ${runs}`
await report({ name: 'ingest', title, results, notes }, json)
