import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { frameRateOf, framesOfTimecode } from '../../src/video/timecode.ts'
import { temporaryFolder } from '../ingest/indexing.ts'
import { h264, makeClip, testPicture } from '../video/makeClip.ts'
import { vidgrep } from './program.ts'

const rate = frameRateOf(25)

type Time = { readonly value: number }
type OtioClip = {
  readonly source_range: { readonly start_time: Time; readonly duration: Time }
  readonly markers: readonly { readonly marked_range: { readonly start_time: Time } }[]
}
const tenHours = 10 * 3600 * 25

it('search exports its moments with the time code of the footage', async () => {
  const home = await temporaryFolder()
  const file = (name: string) => join(home, name)
  const video = await makeClip(file('a.mov'), ...testPicture(4), ...h264, '-timecode', '10:00:00:00')
  const call = (...words: string[]) => vidgrep(words, { VIDGREP_HOME: home })
  const search = (...words: string[]) => call('search', 'a colourful test picture', ...words)
  await call('index', video, '--detail', 'whole')

  const found = await search('--json', '--export', file('a.edl'))
  expect(found).toMatchObject({ code: 0, stderr: expect.stringContaining(`in ${file('a.edl')}`) })
  const { moments } = JSON.parse(found.stdout)
  expect(moments.length).toBeGreaterThan(0)
  expect(await search('--export', file('a.otio'))).toMatchObject({ code: 0, stderr: '' })

  const expected = moments.map(({ t, from, to }: { t: number; from: number; to: number }) =>
    // A single frame of a clip of 4 seconds gets a second around it.
    (to > from ? [from, to] : t < 0.5 ? [0, 1] : t > 3.5 ? [3, 4] : [t - 0.5, t + 0.5]).map(
      (seconds) => tenHours + Math.floor(seconds * 25 + 0.07),
    ),
  )
  const edl = await readFile(file('a.edl'), 'utf8')
  const events = [...edl.matchAll(/^\d{3} {2}AX.* C +(\S+) (\S+) \S+ \S+$/gm)]
  expect(events.map((event) => event.slice(1).map((code) => framesOfTimecode(code, rate)))).toEqual(expected)

  const { tracks } = JSON.parse(await readFile(file('a.otio'), 'utf8'))
  const [{ children }] = tracks.children
  const ranges = children.map(({ source_range: { start_time, duration } }: OtioClip) => [
    start_time.value,
    start_time.value + duration.value,
  ])
  expect(ranges).toEqual(expected)
  expect(children[0].media_references.DEFAULT_MEDIA.available_range).toMatchObject({
    start_time: { value: tenHours, rate: 25 },
    duration: { value: 100 },
  })
  const peaks = children.map(({ markers }: OtioClip) => markers[0]?.marked_range.start_time.value)
  expect(peaks).toEqual(moments.map(({ t }: { t: number }) => tenHours + Math.floor(t * 25 + 0.07)))

  await rm(video)
  const gone = await search('--export', file('a.edl'))
  expect(gone).toMatchObject({ code: 3, stderr: expect.stringContaining(`Not exported, ${video}`) })
  expect(await readFile(file('a.edl'), 'utf8')).toBe(edl)
  const refused = await search('--export', file('a.mp4'))
  expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/ends in \.edl.*got .*a\.mp4/) })
})
