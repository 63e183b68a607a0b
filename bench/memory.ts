import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { carriedClips, clipsIn } from './clips.ts'
import { vidgrep, withHome } from './contenders.ts'
import { playedOver } from './footage.ts'
import { builtProgram } from './program.ts'
import { type Row, report } from './report.ts'

/*
 * Whether memory stays flat however long a video is: most memory held at one moment by `vidgrep index`, every patch
 * encoded, on a clip that is played over for longer and longer.
 *
 *   npm run build && npx tsx bench/memory.ts [FILE] [--large] [--program dist/cli/main.js] [--json FILE]
 *
 * --large goes on to two hours, which takes some ten minutes.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    large: { type: 'boolean', default: false },
    program: { type: 'string', default: builtProgram },
    json: { type: 'string' },
  },
})
const clip = positionals[0] ?? (await clipsIn(carriedClips)).files.find((file) => file.endsWith('earth.mp4'))!
const minutes = values.large ? [1, 10, 120] : [1, 5]

const results = await withHome(clip, values.program, async (home) => {
  const contender = vidgrep('vidgrep --no-reuse', ['--no-reuse'], home, values.program)
  const rows: Row[] = []
  for (const length of minutes) {
    const video = await playedOver(clip, length * 60, join(home, 'long.mp4'))
    const { peakMB, patches, seconds } = await contender.index([video])
    rows.push({ videoMinutes: length, peakMB, patches, seconds })
  }
  return rows
})
const notes = [
  `${clip.split('/').at(-1)}, played over with its stream copied as it is.`,
  ...(values.large ? [] : ['Two hours were not run: --large.']),
]
await report({ name: 'memory', title: 'Peak memory of an ingest by length of the video', results, notes }, values.json)
