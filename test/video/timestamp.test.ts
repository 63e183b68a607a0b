import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { formatSpan, formatTimestamp, parseTimestamp } from '../../src/video/timestamp.ts'

describe('a timestamp is written', () => {
  test.each([
    [0, '00:00:00.000'],
    [12.345, '00:00:12.345'],
    [118.70833333333333, '00:01:58.708'],
    [3723.5, '01:02:03.500'],
    [59.9996, '00:01:00.000'],
    [360_000, '100:00:00.000'],
    [-1.5, '-00:00:01.500'],
    [-0.0001, '00:00:00.000'],
  ])('%d s as %s', (seconds, text) => {
    expect(formatTimestamp(seconds)).toBe(text)
  })
})

test.each([
  [12, 12, '00:00:12.000'],
  [12, 12.0004, '00:00:12.000'],
  [12, 75.5, '00:00:12.000 – 00:01:15.500'],
])('a span from %d to %d s is written as %s', (from, to, text) => {
  expect(formatSpan({ from, to })).toBe(text)
})

describe('a time is read', () => {
  test.each([
    ['90', 90],
    ['12.5', 12.5],
    ['.5', 0.5],
    [' 7 ', 7],
    ['-2', -2],
    ['2:03', 123],
    ['90:00', 5400],
    ['1:02:03.5', 3723.5],
    ['00:01:58.708', 118.708],
    ['-00:00:01.500', -1.5],
    ['1m30s', 90],
    ['1h', 3600],
    ['1h2m3.5s', 3723.5],
    ['1H30M', 5400],
    ['2h5s', 7205],
    ['1.5m', 90],
    ['500ms', 0.5],
    ['1s500ms', 1.5],
    ['-1m', -60],
  ])('%j as %d s', (text, seconds) => {
    expect(parseTimestamp(text)).toBeCloseTo(seconds, 9)
  })

  test.each([
    '',
    ' ',
    '-',
    'soon',
    '1:',
    ':30',
    '1:60',
    '1:60:00',
    '1:2:3:4',
    '1e3',
    '0x10',
    '30s1m',
    '1m 30s',
    'm',
    'NaN',
    'Infinity',
    '1,5',
  ])('but not %j', (text) => {
    expect(() => parseTimestamp(text)).toThrow(UsageError)
  })
})

test('whatever the time, what is written is read as the same millisecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e10, max: 1e10 }), (milliseconds) => {
      expect(Math.round(parseTimestamp(formatTimestamp(milliseconds / 1000)) * 1000)).toBe(milliseconds)
    }),
  )
})
