import { describe, expect, it } from 'vitest'
import { openMeter, openRate } from '../../src/cli/progress.ts'

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

describe('the progress of an index run', () => {
  const result = { video: 'v', status: 'complete', frames: 10, points: 20, unchanged: 0, seconds: 1 } as const

  it('counts bytes, and gives the time left by the bytes that took time so far', () => {
    let nowMs = 1000
    const meter = openMeter(() => nowMs)
    meter.count({ type: 'found', videos: 3, bytes: 500 })
    expect(meter.words()).toMatchObject({ percent: '  0%', finished: 0, videos: 3, left: '–' })
    // What is indexed already takes no time, so it says nothing of the speed.
    meter.count({ type: 'video', bytes: 100, result: { ...result, path: '/c.mp4', encoded: 0 } })
    expect(meter.words()).toMatchObject({ percent: ' 20%', finished: 1, left: '–' })

    meter.count({ type: 'started', path: '/a\n.mp4', bytes: 100 })
    nowMs += 10_000
    const progress = { atSeconds: 30, durationSeconds: 60, frames: 40, encoded: 100 }
    meter.count({ type: 'progress', path: '/a\n.mp4', ...progress })
    expect(meter.words()).toEqual({
      ...{ percent: ' 30%', finished: 1, videos: 3, rate: '4.0 frames/s · 10 patches/s' },
      ...{ left: '2 min', current: 'a\\n.mp4 00:00:30' },
    })
    expect(meter.fraction()).toBeCloseTo(0.3)

    nowMs += 10_000
    meter.count({ type: 'video', bytes: 100, result: { ...result, path: '/a\n.mp4', encoded: 200 } })
    expect(meter.words()).toMatchObject({ percent: ' 40%', finished: 2, left: '1 min' })
  })
})
