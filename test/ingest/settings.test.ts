import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { covers, madeWith, samplingSettings, settingsOf } from '../../src/ingest/sampling.ts'
import { details, type Grid } from '../../src/patches/grid.ts'

describe('what a record says of the settings of a video', () => {
  it('gives them back', () => {
    const grid = fc.constantFrom<Grid>(...details, 'article')
    const everySeconds = fc.double({ min: 0, max: 1e6, noNaN: true })
    const decode = fc.constantFrom('all' as const, 'references' as const, 'keys' as const)
    const tolerance = fc.double({ min: 0, max: 255, noNaN: true })
    fc.assert(
      fc.property(fc.record({ everySeconds, decode, grid, tolerance }), (settings) => {
        expect(settingsOf(madeWith(settings))).toEqual({
          ...settings,
          everySeconds: settings.everySeconds + 0,
          tolerance: settings.tolerance + 0,
        })
      }),
    )
  })

  it.each([
    ['every=1 grid=patches patch=0.5 step=0.5 decode=references tolerance=6', 'normal'],
    ['every=1 grid=patches patch=0.25 step=1 decode=references tolerance=6', 'normal'],
    ['every=1 grid=whole decode=references tolerance=6', 'whole'],
    ['', 'normal'],
  ])('is understood of an earlier version: %j', (settings, grid) => {
    expect(settingsOf({ settings })).toEqual({ ...samplingSettings({}), grid })
  })

  it.each([
    'every=1',
    'every=1 grid=hexagons',
    'every=x grid=levels',
    'every=1 grid=levels colour=red',
    'every=1 grid=levels decode=some',
  ])('is refused where it is none that this version knows: %j', (settings) => {
    expect(() => settingsOf({ settings })).toThrow(UsageError)
  })
})

describe('a video', () => {
  const normal = madeWith(samplingSettings({}))
  const made = (options: Parameters<typeof samplingSettings>[0]) => madeWith(samplingSettings(options))

  it('has enough with the same settings and as much detail or more', () => {
    expect(covers(normal, normal)).toBe(true)
    expect(covers(made({ detail: 'high' }), normal)).toBe(true)
    expect(covers(made({ detail: 'low' }), normal)).toBe(false)
    expect(covers(made({ everySeconds: 2 }), normal)).toBe(false)
    expect(covers(made({ grid: 'article' }), normal)).toBe(false)
    expect(covers(normal, made({ grid: 'article' }))).toBe(false)
  })

  it('that an earlier version indexed by default is not indexed again, but for more detail', () => {
    const before = { settings: 'every=1 grid=patches patch=0.5 step=0.5 decode=references tolerance=6' }
    expect(covers(before, normal)).toBe(true)
    expect(covers(before, made({ detail: 'whole' }))).toBe(true)
    expect(covers(before, made({ detail: 'high' }))).toBe(false)
    expect(covers(before, made({ everySeconds: 2 }))).toBe(false)
  })
})

it('settings are refused that contradict each other or do not exist', () => {
  expect(() => samplingSettings({ detail: 'high', grid: 'article' })).toThrow('got both')
  expect(() => samplingSettings({ detail: 'fine' as 'high' })).toThrow('whole, low, normal, high')
  expect(() => samplingSettings({ grid: 'patches' as 'article' })).toThrow('the grid "patches"')
})
