import { readFile, rename } from 'node:fs/promises'
import type { Page, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clip } from '../ingest/indexing.ts'
import { hostileName, makeFootage, startServer } from '../server/serving.ts'
import { axeProblems, lacking, openBrowser, patience } from './browser.ts'

/** Evaluated in the page. */
const playerTime = "document.querySelector('.player video').currentTime"
const isReady =
  "(({ readyState, seeking }) => readyState >= 2 && !seeking)(document.querySelector('.player video') ?? { readyState: 2 })"
const names = "[...document.querySelectorAll('.card .open')].map((each) => each.getAttribute('aria-label')).join()"

type Found = {
  readonly moments: readonly {
    readonly video: string
    readonly t: number
    readonly from: number
    readonly to: number
  }[]
}

describe.skipIf(lacking.length > 0)('the page', () => {
  let page: Page
  let url: string
  let store: string
  let video: string
  let close: () => Promise<void>
  let problems: string[]

  beforeAll(async () => {
    ;({ store, video } = await makeFootage(['city.mpg']))
    ;({ url } = await startServer({ store }))
    ;({ page, close, problems } = await openBrowser())
    await page.goto(url)
  })
  afterAll(() => close?.())

  const found = async (): Promise<Found> =>
    (await (await fetch(`${url}api/v1/search?q=a+cup+of+coffee`)).json()) as Found

  it('shows every video, whose name stays text', async () => {
    await page.waitForSelector('.wall .name')
    expect(await page.locator('.wall .name').allTextContents()).toContain(hostileName)
    expect(await page.locator('img[src="x"]').count()).toBe(0)
    expect(await axeProblems(page)).toEqual([])
  })

  it('searches while one types, keeps the search in its address, and draws a line below what is likely', async () => {
    await page.keyboard.press('/')
    await page.keyboard.type('a cup of coffee')
    await page.waitForSelector('.grid .score')
    expect(new URL(page.url()).searchParams.get('q')).toBe('a cup of coffee')
    expect(await page.locator('.divider').textContent()).toBe('Less likely from here')
    await page.check('text=likely only')
    await page.waitForSelector('.divider', { state: 'detached' })
    expect(new URL(page.url()).searchParams.get('likely')).toBe('true')
    await page.uncheck('text=likely only')
    await page.waitForSelector('.divider')
  })

  it('hides what scores less than the slider over the scores says', async () => {
    await page.click('.chip button:text-is("Score")')
    const slider = page.getByLabel('Minimum score')
    const all = await page.locator('.card').count()
    await slider.fill(
      String(Math.floor((await found()).moments.length > 1 ? Number(await slider.getAttribute('max')) - 1 : 0)),
    )
    await expect.poll(() => page.locator('.card').count()).toBeLessThan(all)
    expect(await axeProblems(page)).toEqual([])
    await page.click('text=✕')
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('.card').count()).toBe(all)
  })

  it('plays the first moment from its peak, by keys alone', async () => {
    await page.focus('input[type=search]')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.player')
    await expect.poll(() => page.evaluate(isReady), patience).toBe(true)
    const currentTime = await page.evaluate<number>(playerTime)
    expect(Math.abs(currentTime - (await found()).moments[0]!.t)).toBeLessThan(0.05)
    await page.keyboard.press('l')
    await expect.poll(() => page.evaluate(playerTime), patience).toBeGreaterThan(currentTime + 4.9)
  })

  it('shows how the query runs along the video, and follows another query', async () => {
    const heat = page.locator('.heat')
    await heat.waitFor({ state: 'attached' })
    expect(await page.locator('.scene').count()).toBe(3)
    const before = await heat.getAttribute('d')
    await page.fill('input[type=search]', 'a cat')
    await expect.poll(() => heat.getAttribute('d'), patience).not.toBe(before)
    await page.click('.scenes summary')
    await page.getByLabel('Scene from 0:08 to 0:12').click()
    await expect.poll(() => page.evaluate(playerTime), patience).toBeCloseTo(8, 1)
    expect(await page.locator('.scenes img').count()).toBe(4)
    expect(await axeProblems(page)).toEqual([])
    await page.getByLabel('Place in the video').fill('2')
    await expect.poll(() => page.evaluate(playerTime), patience).toBeCloseTo(2, 1)
    await page.fill('input[type=search]', 'a cup of coffee')
    await page.getByLabel('Close the player').click()
  })

  it('ranks anew after "less like this", and leads to the same by its address', async () => {
    await page.goto(`${url}?q=a+cup+of+coffee`)
    await page.waitForSelector('.card .score')
    const before = await page.evaluate<string>(names)
    await page.hover('.card')
    await page.click('.card [title="Less like this"]')
    await page.waitForSelector('.likeness.unlike')
    await expect.poll(() => page.evaluate(names), patience).not.toBe(before)
    const after = await page.evaluate<string>(names)
    await page.goto(page.url())
    await expect.poll(() => page.evaluate(names), patience).toBe(after)
    await page.click('.likeness')
    await expect.poll(() => page.evaluate(names), patience).toBe(before)
  })

  it('goes back and forth between searches without asking again', async () => {
    const before = await page.evaluate<string>(names)
    await page.fill('input[type=search]', 'a cat')
    await expect.poll(() => page.evaluate(names), patience).not.toBe(before)
    await page.keyboard.press('Enter')
    await page.fill('input[type=search]', 'a dog')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.title()).toBe('a dog – vidgrep')
    let asked = 0
    const count = (request: Request) => {
      if (request.url().includes('/search?')) asked += 1
    }
    await expect.poll(() => page.evaluate('!document.querySelector(".busy.on")'), patience).toBe(true)
    page.on('request', count)
    await page.goBack()
    await expect.poll(() => page.title()).toBe('a cat – vidgrep')
    await page.goBack()
    await expect.poll(() => page.evaluate(names), patience).toBe(before)
    page.off('request', count)
    expect(asked).toBe(0)
  })

  it('puts words that are not to be seen, and what comes next, together with the others', async () => {
    const asked = () => page.waitForRequest((request) => request.url().includes('/search?'))
    const [without] = await Promise.all([asked(), page.fill('.box-label >> nth=0 >> input', 'a cat')])
    expect(new URL(without.url()).searchParams.get('q')).toBe('"a cup of coffee" - "a cat"')
    await page.fill('.box-label >> nth=0 >> input', '')
    const [then] = await Promise.all([
      page.waitForRequest((request) => request.url().includes('%3E')),
      page.fill('.box-label >> nth=1 >> input', 'a cat'),
    ])
    expect(new URL(then.url()).searchParams.get('q')).toBe('"a cup of coffee" > "a cat"')
  })

  it('shows both moments of what comes one after the other, and plays either', async () => {
    const both = page.locator('.card').first().locator('.open')
    await expect.poll(() => both.count(), patience).toBe(2)
    expect(await axeProblems(page)).toEqual([])
    const [second] = await page.evaluate<number[]>(
      `fetch('/api/v1/search?q="a cup of coffee" > "a cat"').then((answer) => answer.json()).then(({ moments }) => moments[0].parts.slice(1).map(({ t }) => t))`,
    )
    await both.nth(1).click()
    await expect.poll(() => page.evaluate(isReady), patience).toBe(true)
    expect(await page.evaluate(playerTime)).toBeCloseTo(second!, 1)
    expect(await page.locator('.places button').allTextContents()).toEqual([
      expect.stringMatching(/^0:0\d a cup of coffee$/),
      expect.stringMatching(/^0:0\d a cat$/),
    ])
    await expect.poll(() => page.locator('.heat').count(), patience).toBe(2)
    await page.keyboard.press('Escape')
  })

  it('finds what looks like a picture that is dropped', async () => {
    await page.goto(url)
    await page.waitForSelector('.wall .name')
    const { moments } = await found()
    const id = moments[0]!.video
    const jpeg = Buffer.from(await (await fetch(`${url}api/v1/frames/${id}/${moments[0]!.t}.jpg`)).arrayBuffer())
    await page.evaluate(`{
      const dataTransfer = new DataTransfer()
      const bytes = Uint8Array.from(atob('${jpeg.toString('base64')}'), (character) => character.charCodeAt(0))
      dataTransfer.items.add(new File([bytes], 'picture.jpg', { type: 'image/jpeg' }))
      window.dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }))
    }`)
    await page.waitForSelector('.likeness.like')
    await page.waitForSelector('.card .score')
    const [, seconds] = /at 0:(\d\d)/.exec(await page.evaluate<string>(names))!
    expect(Math.abs(Number(seconds) - moments[0]!.t)).toBeLessThan(4)
  })

  it('marks a moment, and hands out EDL and OTIO with its times', async () => {
    await page.goto(`${url}?q=a+cup+of+coffee`)
    await page.waitForSelector('.card .score')
    await page.hover('.card')
    await page.click('.card .mark')
    await page.click('text=Marked')
    expect(await axeProblems(page)).toEqual([])
    const save = async (format: string): Promise<string> => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.click(`dialog button:text-is("${format}")`),
      ])
      return readFile(await download.path(), 'utf8')
    }
    const { from, to } = (await found()).moments[0]!
    const [, start, end] = /V {5}C {8}(\S+) (\S+) /.exec(await save('EDL'))!
    const seconds = (code: string) => {
      const [h, m, s, frames] = code.split(':').map(Number) as [number, number, number, number]
      return h * 3600 + m * 60 + s + frames / 25
    }
    expect(Math.abs(seconds(start!) - from)).toBeLessThan(0.041)
    expect(Math.abs(seconds(end!) - to)).toBeLessThan(0.041)
    const [otioClip] = JSON.parse(await save('OTIO')).tracks.children[0].children
    const { start_time, duration } = otioClip.source_range
    expect(start_time.value / start_time.rate).toBeCloseTo(seconds(start!), 3)
    expect((start_time.value + duration.value) / duration.rate).toBeCloseTo(seconds(end!), 3)
    await page.keyboard.press('Escape')
  })

  it('makes playable what the browser cannot play', async () => {
    await page.goto(`${url}?q=skyscrapers+at+night&path=**/city.mpg`)
    await page.waitForSelector('.card .score')
    await page.click('.card .open')
    await page.waitForSelector('.player > .note', patience)
    await expect.poll(() => page.evaluate(isReady), patience).toBe(true)
    expect(await page.evaluate('document.querySelector(".player video").videoWidth')).toBe(720)
  })

  it('says that a file is gone', async () => {
    await rename(video, `${video}.away`)
    try {
      await page.goto(`${url}?q=a+cup+of+coffee`)
      await page.waitForSelector('.card .score')
      await page.click('.card .open')
      await page.waitForSelector('.gone', patience)
      expect(await page.textContent('.gone')).toContain('The file is gone')
    } finally {
      await rename(`${video}.away`, video)
    }
  })

  it('goes on when the store was away', async () => {
    await rename(store, `${store}-away`)
    try {
      await page.goto(`${url}?q=a+cat`)
      await page.waitForSelector('.error')
    } finally {
      await rename(`${store}-away`, store)
    }
    await page.waitForSelector('.card .score', patience)
    expect(await page.locator('.error').count()).toBe(0)
  })

  it('fits a phone', async () => {
    await page.setViewportSize({ width: 390, height: 800 })
    await page.waitForSelector('.card .score')
    await expect.poll(() => page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    expect(await axeProblems(page)).toEqual([])
    await page.click('.card .open')
    await page.waitForSelector('.player')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await page.keyboard.press('Escape')
    await page.waitForSelector('.player', { state: 'detached' })
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  it('shows the API to readers', async () => {
    await page.goto(`${url}api`)
    await page.waitForSelector('.api section')
    expect(await page.textContent('.api')).toContain('/api/v1/moments/similar')
    expect(await axeProblems(page)).toEqual([])
  })

  it('ran without an error', () => {
    // What was asked of a file or a store that was away, or of a codec that is lacking.
    const expected = /Failed to load resource: the server responded with a status of (404|410|503)/
    expect(problems.filter((each) => !expected.test(each))).toEqual([])
  })
})

describe.skipIf(lacking.length > 0)('a thousand results', () => {
  it('cost no more than a few screens of them', async () => {
    const { url } = await startServer({ store: (await makeFootage()).store })
    const { page, close } = await openBrowser()
    const picture = await readFile(clip('../../src/page/public/icon.svg'))
    let known = 0
    await page.route(/\/frames\//, (route) => route.fulfill({ contentType: 'image/svg+xml', body: picture }))
    await page.route(/\/search\?/, async (route) => {
      const asked = new URL(route.request().url())
      const [n, offset] = ['n', 'offset'].map((name) => Number(asked.searchParams.get(name))) as [number, number]
      known += n
      asked.searchParams.set('n', '1')
      asked.searchParams.delete('offset')
      const answer = await (await route.fetch({ url: asked.href })).json()
      const [first] = answer.moments
      const moments = Array.from({ length: n }, (_, i) => {
        const t = offset + i
        const also = t === 0 ? [{ path: '/elsewhere/copy.mp4', video: first.video, t }] : undefined
        return { ...first, rank: t + 1, t, score: 90 - t / 20, also }
      })
      await route.fulfill({ json: { ...answer, moments, isLast: false } })
    })
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Performance.enable')
    const measured = async () => {
      await devtools.send('HeapProfiler.collectGarbage')
      const { metrics } = await devtools.send('Performance.getMetrics')
      return Object.fromEntries(metrics.map(({ name, value }) => [name, value])) as Record<string, number>
    }
    await page.goto(`${url}?q=a+cat`)
    await page.waitForSelector('.card .score')
    expect(await page.locator('.also').allTextContents()).toEqual(['also in copy.mp4'])
    const before = await measured()
    const scroll = async () => {
      await page.evaluate('window.scrollTo(0, document.documentElement.scrollHeight)')
      return page.locator('.end').textContent()
    }
    await expect.poll(scroll, patience).toContain('That is all: 1000 moments.')
    // No moment was asked for twice.
    expect(known).toBe(1000)
    await page.evaluate('window.scrollTo(0, document.documentElement.scrollHeight)')
    await page.waitForSelector('[aria-posinset="1000"]')
    expect(await page.locator('.card').count()).toBeLessThan(80)
    const after = await measured()
    expect(after.JSHeapUsedSize! - before.JSHeapUsedSize!).toBeLessThan(4e6)
    expect(await page.locator('.card').first().getAttribute('aria-setsize')).toBe('1000')
    await close()
  })
})
