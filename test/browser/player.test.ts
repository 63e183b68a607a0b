import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openIndex } from '../../src/index.ts'
import { startServer } from '../server/serving.ts'
import { h264, makeClip, ownTimes, useFolder } from '../video/makeClip.ts'
import { lacking, openBrowser, patience } from './browser.ts'

/** Frame n is as bright as {@link levelOf} says: a picture tells which one it is. */
const frames = 'lum=40+2*mod(N\\,90):cb=128:cr=128'

/** Which frame the player shows, by the brightness of its middle. */
const frameShown = `(() => {
  const video = document.querySelector('.player video')
  if (!video || video.readyState < 2 || video.seeking) return -1
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 1
  const context = canvas.getContext('2d')
  context.drawImage(video, 40, 30, 8, 8, 0, 0, 1, 1)
  const [level] = context.getImageData(0, 0, 1, 1).data
  return Math.round(((level * 219) / 255 + 16 - 40) / 2)
})()`

/** About which frame the picture over the timeline shows, to ten frames: it is a small JPEG. */
const framePeeked = `(() => {
  const picture = document.querySelector('.peek img')
  if (!picture?.complete) return -1
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 1
  const context = canvas.getContext('2d')
  context.drawImage(picture, 0, 0, 1, 1)
  const [level] = context.getImageData(0, 0, 1, 1).data
  // Never -0.
  return 10 * Math.round(((level * 219) / 255 + 16 - 40) / 20) + 0
})()`

const inFolder = useFolder()

describe.skipIf(lacking.length > 0)('the player', () => {
  let page: Page
  let url: string
  let close: () => Promise<void>

  beforeAll(async () => {
    process.env.VIDGREP_HOME = inFolder('')
    const gray = (rate: number) => `color=gray:size=160x120:rate=${rate}:duration=1.6,format=yuv420p,geq=${frames}`
    const sound = ['-t', '3', '-f', 'lavfi', '-i', 'anullsrc']
    const encode = [...h264, '-crf', '8', '-g', '40', '-c:a', 'aac', '-color_range', 'tv']
    await makeClip(inFolder('fifty.mp4'), '-f', 'lavfi', '-i', gray(50), ...encode)
    const late = [...sound, '-itsoffset', '1.52', '-f', 'lavfi', '-i', gray(25)]
    await makeClip(inFolder('late.mp4'), ...late, '-map', '1:v', '-map', '0:a', ...(await ownTimes()), ...encode)
    const store = inFolder('store')
    const index = await openIndex({ store, model: 'starter' })
    for await (const event of index.ingest([inFolder('')], { detail: 'whole' })) {
      if (event.type === 'video' && event.result.status !== 'complete') throw new Error(event.result.reason)
    }
    await index.close()
    ;({ url } = await startServer({ store }))
    ;({ page, close } = await openBrowser())
  })
  afterAll(() => close?.())

  const shows = (frame: number) => expect.poll(() => page.evaluate(frameShown), patience).toBe(frame)
  const time = () => page.textContent('.player .clock b')

  it.each([
    ['fifty.mp4', 50, 0],
    ['late.mp4', 25, 1.52],
  ])('shows exactly the frame of a time and steps by single ones: %s', async (name, rate, startSeconds) => {
    await page.goto(`${url}?q=gray&path=**/${name}`)
    const { moments } = await page.evaluate<{ moments: { t: number }[] }>(
      `fetch('/api/v1/search?q=gray&path=**/${name}').then((answer) => answer.json())`,
    )
    await page.click('.card .open')
    await shows(Math.round((moments[0]!.t - startSeconds) * rate))
    const place = page.getByLabel('Place in the video')
    await place.fill(String(startSeconds + 0.52))
    await shows(0.52 * rate)
    for (let i = 1; i <= 3; i++) {
      await page.keyboard.press('.')
      await shows(0.52 * rate + i)
    }
    expect(await time()).toBe(`0:0${(startSeconds + 0.52 + 3 / rate).toFixed(3)}`)
    for (let i = 2; i >= -1; i--) {
      await page.keyboard.press(',')
      await shows(0.52 * rate + i)
    }
    await page.keyboard.press('Escape')
  })

  it('shows the sampled frame under the pointer, and is as loud as it is set', async () => {
    await page.goto(`${url}?q=gray&path=**/fifty.mp4`)
    await page.click('.card .open')
    await shows(0)
    const strip = page.locator('.strip')
    const { width } = (await strip.boundingBox())!
    await strip.hover({ position: { x: (width * 1.04) / 1.6, y: 20 } })
    await expect.poll(() => page.evaluate(framePeeked), patience).toBe(50)
    await strip.hover({ position: { x: 2, y: 20 } })
    await expect.poll(() => page.evaluate(framePeeked), patience).toBe(0)
    await page.hover('.player h2')
    expect(await page.locator('.peek').count()).toBe(0)
    await shows(0)

    const sound = () => page.evaluate("(({ volume, muted }) => ({ volume, muted }))(document.querySelector('video'))")
    const volume = page.getByLabel('Volume')
    await volume.fill('0.4')
    expect(await sound()).toEqual({ volume: 0.4, muted: false })
    await page.getByLabel('Sound off').click()
    expect(await sound()).toEqual({ volume: 0.4, muted: true })
    await expect.poll(() => volume.inputValue(), patience).toBe('0')
    await page.getByLabel('Sound on').click()
    await expect.poll(() => volume.inputValue(), patience).toBe('0.4')
    // Chosen by the keyboard, the place in the video takes the arrows.
    await page.getByLabel('Place in the video').focus()
    await page.keyboard.press('ArrowRight')
    await shows(2)
  })
})
