import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canDropFrames, frameAt, frameRateOf, framesOfTimecode, timecode } from '../../src/video/timecode.ts'

const rates = { film: 23.976, pal: 25, ntsc: 29.97, fifty: 50, ntscFast: 59.94 }

test.each([
  [23.976, '24000/1001'],
  [23.98, '24000/1001'],
  [24, '24/1'],
  [25, '25/1'],
  [29.97, '30000/1001'],
  [30000 / 1001, '30000/1001'],
  [30, '30/1'],
  [50, '50/1'],
  [59.94, '60000/1001'],
  [12.5, '12500/1000'],
])('%d frames a second are %s', (framesASecond, fraction) => {
  const { over, under } = frameRateOf(framesASecond)
  expect(`${over}/${under}`).toBe(fraction)
})

test('drop-frame counting leaves out two numbers each minute, but not each tenth', () => {
  const rate = frameRateOf(rates.ntsc)
  expect(timecode(1799, rate)).toBe('00:00:59;29')
  expect(timecode(1800, rate)).toBe('00:01:00;02')
  expect(timecode(17981, rate)).toBe('00:09:59;29')
  expect(timecode(17982, rate)).toBe('00:10:00;00')
  // An hour of 29.97 is 107,892 frames: SMPTE 12M.
  expect(timecode(107_892, rate)).toBe('01:00:00;00')
  expect(timecode(107_892, rate, false)).toBe('00:59:56:12')
})

test('at 59.94 it leaves out four', () => {
  const rate = frameRateOf(rates.ntscFast)
  expect(timecode(3599, rate)).toBe('00:00:59;59')
  expect(timecode(3600, rate)).toBe('00:01:00;04')
  expect(timecode(215_784, rate)).toBe('01:00:00;00')
})

test('23.976, 25 and 50 count every frame', () => {
  expect(timecode(86_400, frameRateOf(rates.film))).toBe('01:00:00:00')
  expect(timecode(90_000, frameRateOf(rates.pal))).toBe('01:00:00:00')
  expect(timecode(180_049, frameRateOf(rates.fifty))).toBe('01:00:00:49')
})

test('a day later it begins again', () => expect(timecode(25 * 86_400 + 3, frameRateOf(25))).toBe('00:00:00:03'))

test('a time code leads back to its frame, at every rate', () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(rates)), fc.nat(2_000_000), (framesASecond, frame) => {
      const rate = frameRateOf(framesASecond)
      expect(framesOfTimecode(timecode(frame, rate), rate)).toBe(frame)
    }),
  )
})

test('a frame’s own time, rounded to milliseconds, is in that frame', () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(rates)), fc.nat(400_000), (framesASecond, frame) => {
      const rate = frameRateOf(framesASecond)
      const seconds = Math.round((1000 * frame * rate.under) / rate.over) / 1000
      expect(frameAt(seconds, rate)).toBe(frame)
    }),
  )
})

test('only 29.97 and 59.94 drop numbers', () =>
  expect(Object.values(rates).map((rate) => canDropFrames(frameRateOf(rate)))).toEqual([
    false,
    false,
    true,
    false,
    true,
  ]))

test.each(['', '1:2:3:4', '00:60:00:00', '00:00:00:25', 'hello'])('%j is no time code at 25', (text) =>
  expect(framesOfTimecode(text, frameRateOf(25))).toBeUndefined(),
)
