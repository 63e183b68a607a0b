import { expect, test } from 'vitest'
import { type Clip, exportClips, exportFormatOf } from '../../src/render/exports.ts'
import { frameRateOf, framesOfTimecode } from '../../src/video/timecode.ts'

const clip = (part: Partial<Clip> = {}): Clip => ({
  path: '/footage/a "red" <car> & co.mp4',
  from: 10,
  to: 12,
  t: 11,
  name: 'a red car',
  score: 41.5,
  rate: frameRateOf(25),
  startFrame: 0,
  endSeconds: 60,
  width: 1920,
  height: 1080,
  ...part,
})

/** Source in and out of each event, in frames. */
const eventsOf = (edl: string, framesASecond: number) =>
  [...edl.matchAll(/^\d{3} {2}AX.* C +(\S+) (\S+) (\S+) (\S+)$/gm)].map((event) =>
    event.slice(1).map((code) => framesOfTimecode(code, frameRateOf(framesASecond))),
  )

test.each([23.976, 25, 29.97, 50, 59.94])('an EDL at %d says where each clip begins and ends', (framesASecond) => {
  const rate = frameRateOf(framesASecond)
  const exact = rate.over / rate.under
  const text = exportClips('edl', 'cars', [
    clip({ rate }),
    clip({ rate, from: 3725.5, to: 3730, t: 3726, endSeconds: 9000 }),
  ])
  const [first, second] = eventsOf(text, framesASecond)
  expect(first![0]).toBe(Math.floor(10 * exact + 0.07))
  expect(first![1]).toBe(Math.floor(12 * exact + 0.07))
  expect(second![0]).toBe(Math.floor(3725.5 * exact + 0.07))
  expect(second![1]).toBe(Math.floor(3730 * exact + 0.07))
  // On the timeline they follow each other, and it begins at one hour.
  expect(text).toMatch(/ 01:00:00[:;]00 /)
  expect(second![2]).toBe(first![3])
  expect(first![3]! - first![2]!).toBe(first![1]! - first![0]!)
})

test('an EDL counts from the time code that the file begins with', () => {
  const startFrame = framesOfTimecode('10:00:00:00', frameRateOf(25))!
  expect(exportClips('edl', 'x', [clip({ startFrame })])).toContain(' 10:00:10:00 10:00:12:00 01:00:00:00 01:00:02:00')
})

test('an EDL counts 29.97 without dropping where the file does, and marks the peak at the rate of the timeline', () => {
  const rate = frameRateOf(29.97)
  const startFrame = framesOfTimecode('10:00:00:00', rate)!
  const own = clip({ rate, startFrame, dropFrame: false, from: 0, to: 2, t: 1 })
  const text = exportClips('edl', 'x', [own])
  expect(text).toContain('FCM: NON-DROP FRAME\n')
  expect(text).toMatch(/ 10:00:00:00 10:00:02:00 01:00:00:00 01:00:02:00$/m)
  const mixed = exportClips('edl', 'x', [clip(), clip({ rate: frameRateOf(50) })])
  expect([...mixed.matchAll(/LOC: (\S+)/g)].map(([, code]) => code)).toEqual(['01:00:01:00', '01:00:03:00'])
})

test('an EDL names file and query, each in one line', () => {
  const text = exportClips('edl', 'two\nlines', [clip({ name: 'a\nb' })])
  expect(text).toContain('TITLE: two lines\nFCM: NON-DROP FRAME\n')
  expect(text).toContain('* FROM CLIP NAME: a "red" <car> & co.mp4\n')
  expect(text).toContain('YELLOW  a b')
  expect(exportClips('edl', 'x', [clip({ rate: frameRateOf(29.97) })])).toContain('FCM: DROP FRAME')
})

test('OpenTimelineIO has frames of the source, and a marker at the moment', () => {
  const timeline = JSON.parse(exportClips('otio', 'cars', [clip({ startFrame: 100 })]))
  const [found] = timeline.tracks.children[0].children
  expect(timeline.OTIO_SCHEMA).toBe('Timeline.1')
  expect(found.source_range.start_time).toEqual({ OTIO_SCHEMA: 'RationalTime.1', rate: 25, value: 350 })
  expect(found.source_range.duration.value).toBe(50)
  expect(found.markers[0].marked_range.start_time.value).toBe(375)
  expect(found.media_references.DEFAULT_MEDIA.target_url).toBe('file:///footage/a%20%22red%22%20%3Ccar%3E%20&%20co.mp4')
  expect(found.media_references.DEFAULT_MEDIA.available_range.duration.value).toBe(1500)
})

test('Final Cut’s XML has times on whole frames, and every name as text', () => {
  const rate = frameRateOf(29.97)
  const text = exportClips('fcpxml', '<img onerror=x>', [clip({ rate }), clip({ rate, from: 20, to: 21, t: 20 })])
  expect(text).toContain('name="&lt;img onerror=x&gt;"')
  expect(text).toContain('name="a &quot;red&quot; &lt;car&gt; &amp; co.mp4"')
  // Two clips of one file: one asset.
  expect(text.match(/<asset /g)).toHaveLength(1)
  expect(text.match(/<asset-clip /g)).toHaveLength(2)
  for (const [, over] of text.matchAll(/="(\d+)\/30000s"/g)) expect(Number(over) % 1001).toBe(0)
})

test('CSV survives commas, quotes and formulas', () => {
  const text = exportClips('csv', 'x', [clip({ path: '/a,b.mp4', name: '=cmd()' })])
  expect(text.split('\r\n')[1]).toBe(`"/a,b.mp4",'=cmd(),41.50,11.000,10.000,12.000,00:00:10:00,00:00:12:00`)
})

test('a stretch is one frame at least', () => {
  const [event] = eventsOf(exportClips('edl', 'x', [clip({ from: 5, to: 5, t: 5 })]), 25)
  expect(event![1]! - event![0]!).toBe(1)
})

test.each(['a.edl', 'A.OTIO', 'x/y.fcpxml', 'b.csv'])('%s is a known format', (file) =>
  expect(file.toLowerCase()).toMatch(new RegExp(`\\.${exportFormatOf(file)}$`)),
)

test('another ending, and nothing to export, are refused', () => {
  expect(() => exportFormatOf('a.mp4')).toThrow('Expected a file that ends in .edl, .otio, .fcpxml, .csv, got a.mp4')
  expect(() => exportClips('edl', 'x', [])).toThrow('Expected moments to export, got none')
})

test('frames count from where the picture begins, times from the start of the file', () => {
  const late = clip({ startSeconds: 1.5 })
  const [{ source_range, media_references }] = JSON.parse(exportClips('otio', 'cars', [late])).tracks.children[0]
    .children
  expect(source_range).toMatchObject({ start_time: { value: 212 }, duration: { value: 50 } })
  expect(media_references.DEFAULT_MEDIA.available_range.duration.value).toBe(1462)
  expect(eventsOf(exportClips('edl', 'cars', [late]), 25)[0]!.slice(0, 2)).toEqual([212, 262])
  expect(exportClips('csv', 'cars', [late])).toContain(',11.000,10.000,12.000,00:00:08:12,00:00:10:12')
})
