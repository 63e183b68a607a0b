import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { settingsLine, settingsOfLine } from '../../src/ingest/sampling.ts'

const fraction = fc.double({ min: 0.01, max: 1, noNaN: true })

describe('the line that stands for the settings of a video', () => {
  it('gives back the settings that it was made of', () => {
    const grid = fc.record({ grid: fc.constantFrom('patches', 'article', 'whole'), patch: fraction, step: fraction })
    const everySeconds = fc.double({ min: 0, max: 1e6, noNaN: true })
    const decode = fc.constantFrom('all', 'references', 'keys')
    const tolerance = fc.double({ min: 0, max: 255, noNaN: true })
    fc.assert(
      fc.property(fc.record({ everySeconds, decode, grid, tolerance }), (settings) => {
        const line = settingsLine(settings as never)
        expect(settingsLine(settingsOfLine(line))).toBe(line)
        if (settings.grid.grid === 'patches')
          expect(settingsOfLine(line)).toEqual({
            ...settings,
            everySeconds: settings.everySeconds + 0,
            tolerance: settings.tolerance + 0,
          })
      }),
    )
  })

  it.each([
    '',
    'every=1 grid=hexagons',
    'every=x grid=whole',
    'every=1 grid=whole colour=red',
    'every=1 grid=whole decode=some',
  ])('is refused where it is none that this version knows: %j', (line) => {
    expect(() => settingsOfLine(line)).toThrow(UsageError)
  })
})
