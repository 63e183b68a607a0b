import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { carriedClips } from './clips.ts'
import { article, articleMissing, raceOptions, vidgrep, withHome } from './contenders.ts'
import { type PlayedOver, playedOver, type Stretch } from './footage.ts'
import { race } from './race.ts'
import { type Row, report } from './report.ts'

/*
 * How fast one long video is looked through, against the article's own algorithm: what starting costs for each of many
 * short clips no longer counts. In one everything moves, in the others a camera stands still.
 *
 *   npm run build && npx tsx bench/long-video.ts [FOLDER] [--rounds 3] [--python python3] [--json FILE]
 *
 * The folder has to hold a man who juggles a football in a park, of https://github.com/facebookresearch/sam2 (Apache-2.0),
 * and a room in which now and then somebody comes to the table, of https://github.com/intel-iot-devkit/sample-videos
 * (CC BY 4.0); what is missing is left out.
 */
const park = 'soccer_juggling_park.mp4'
const room = 'people_to_table_139s.mp4'

/** Whole seconds, as the camera wrote a key frame each second: a gap at each seam would move the seconds off them. */
const framesPerSecond = 10
const wholeRoom: Stretch = { from: 0, frames: 139 * framesPerSecond }
const emptyRoom: Stretch = { from: 98, frames: 18 * framesPerSecond }

/** H.264 as network cameras write it: frames in the order in which they are shown, a key frame each second. */
const cameraCodec = [
  ...['-c:v', 'libx264', '-preset', 'veryfast'],
  ...['-bf', '0', '-g', `${framesPerSecond}`, '-sc_threshold', '0'],
]

type Scene = PlayedOver & {
  readonly name: string
  readonly clip: string
  readonly videoSeconds: number
  /** Options of vidgrep that it is run with besides none. */
  readonly ways?: readonly string[]
}

const scenes: readonly Scene[] = [
  // Where nothing is reused it does not matter whether something stands still: once is enough.
  { name: 'a park, all moves', clip: park, videoSeconds: 90, ways: ['--no-reuse'] },
  { name: 'a room, people come and go', clip: room, videoSeconds: 600, stretch: wholeRoom },
  { name: 'the room, empty', clip: room, videoSeconds: 600, stretch: emptyRoom },
  {
    name: 'the room, empty, from a network camera',
    clip: room,
    videoSeconds: 600,
    stretch: emptyRoom,
    codec: cameraCodec,
  },
]

const { folder = carriedClips, rounds, python, program, json } = raceOptions()
const missing = await articleMissing(python)

const measure = async ({ name, clip, videoSeconds, ways = [], ...how }: Scene): Promise<readonly Row[]> =>
  withHome(join(folder, clip), program, async (home) => {
    const ours = (name: string, ...options: string[]) => vidgrep(name, ['--grid', 'article', ...options], home, program)
    const byDefault = vidgrep('vidgrep --detail normal', ['--detail', 'normal'], home, program)
    const all = [...ways.map((way) => ours(`vidgrep ${way}`, way)), ours('vidgrep'), byDefault]
    const video = await playedOver(join(folder, clip), videoSeconds, join(home, 'long.mp4'), how)
    const contenders = missing ? all : [article(python, home), ...all]
    const raced = await race(contenders, { files: [video], videoSeconds, queries: [] }, rounds)
    return raced.map((row) => ({ scene: name, ...row }))
  })

const isThere = ({ clip }: Scene): Promise<boolean> =>
  access(join(folder, clip)).then(
    () => true,
    () => false,
  )

const results: Row[] = []
for (const scene of scenes) if (await isThere(scene)) results.push(...(await measure(scene)))

const notes =
  results.length > 0
    ? [
        `${park} (1280×720, 24 frames a second), played over for a minute and a half, and ${room} (768×432, 10 frames a second) for ten: the whole clip, in which people are there half of the time, and its seconds 98–116, in which nobody is. The streams are copied as they are, the last one is written anew as network cameras do it, without B-frames.`,
        'Squares of 360 px (--grid article) where no detail is named; --detail normal is the default.',
        ...(missing ? [missing] : []),
      ]
    : [`Not run: ${folder} holds neither ${park} nor ${room}.`]
const runs = rounds === 1 ? 'one run of each' : `medians of ${rounds} interleaved runs`
const title = `One long video: video seconds a second, ${runs}`
await report({ name: 'long-video', title, results, notes }, json)
