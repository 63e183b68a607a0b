import { describe, expect, it } from 'vitest'
import { openRate } from '../../src/cli/progress.ts'

describe('the rate of a download', () => {
  it('is unknown at the first bytes', () => {
    expect(openRate()(1000, 0)).toBeUndefined()
  })

  it('is bytes a second', () => {
    const rate = openRate()
    rate(0, 0)
    expect(rate(3000, 1500)).toBe(2000)
  })

  it('forgets after some seconds the leap with which a resumed file begins', () => {
    const rate = openRate()
    rate(0, 0)
    rate(900_000_000, 100)
    let last: number | undefined
    for (let second = 1; second <= 20; second++) last = rate(900_000_000 + second * 1000, 100 + second * 1000)
    expect(last).toBeCloseTo(1000)
  })
})
