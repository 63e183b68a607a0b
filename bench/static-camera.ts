import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { carriedClips } from './clips.ts'
import { article, articleMissing, raceOptions, vidgrep, withHome } from './contenders.ts'
import { type PlayedOver, playedOver, type Stretch } from './footage.ts'
import { race } from './race.ts'
import { type Row, report } from './report.ts'

/*
 * How fast ten minutes of a camera that does not move are looked through, against the article's own algorithm.
 *
 *   npm run build && npx tsx bench/static-camera.ts [FOLDER] [--rounds 3] [--python python3] [--json FILE]
 *
 * The folder has to hold this clip of a room in which now and then somebody comes to the table; it is one of
 * https://github.com/intel-iot-devkit/sample-videos, CC BY 4.0.
 */
const clipName = 'people_to_table_139s.mp4'

/** Whole seconds, as the camera wrote a key frame each second: a gap at each seam would move the seconds off them. */
const framesPerSecond = 10
const clipStretch: Stretch = { from: 0, frames: 139 * framesPerSecond }
const emptyStretch: Stretch = { from: 98, frames: 18 * framesPerSecond }

/** H.264 as network cameras write it: frames in the order in which they are shown, a key frame each second. */
const cameraCodec = [
  ...['-c:v', 'libx264', '-preset', 'veryfast'],
  ...['-bf', '0', '-g', `${framesPerSecond}`, '-sc_threshold', '0'],
]

const scenes: readonly (PlayedOver & { readonly name: string })[] = [
  { name: 'people come and go', stretch: clipStretch },
  { name: 'empty room', stretch: emptyStretch },
  { name: 'empty room, from a network camera', stretch: emptyStretch, codec: cameraCodec },
]
const videoSeconds = 600

const { folder = carriedClips, rounds, python, program, json } = raceOptions()
const clip = join(folder, clipName)
const missing = await articleMissing(python)

const measure = (): Promise<readonly Row[]> =>
  withHome(clip, program, async (home) => {
    const ours = vidgrep('vidgrep', ['--grid', 'article'], home, program)
    const contenders = missing ? [ours] : [article(python, home), ours]
    const rows: Row[] = []
    for (const { name, ...scene } of scenes) {
      const video = await playedOver(clip, videoSeconds, join(home, 'camera.mp4'), scene)
      const raced = await race(contenders, { files: [video], videoSeconds, queries: [] }, rounds)
      rows.push(...raced.map((row) => ({ scene: name, ...row })))
    }
    return rows
  })

const isThere = await access(clip).then(
  () => true,
  () => false,
)
const notes = isThere
  ? [
      `${clipName} (768×432, 10 frames a second), played over for ten minutes: the whole clip, in which people are there half of the time, and its seconds 98–116, in which nobody is. The stream is copied as it is, and once written anew as network cameras do it, without B-frames.`,
      ...(missing ? [missing] : []),
    ]
  : [`Not run: ${folder} does not hold ${clipName}.`]
const title = `Ten minutes of a camera that does not move, medians of ${rounds} interleaved runs`
await report({ name: 'static-camera', title, results: isThere ? await measure() : [], notes }, json)
