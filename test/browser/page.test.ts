import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostileName, makeFootage, startServer } from '../server/serving.ts'

const chromiumPath = '/usr/bin/chromium'
const builtPage = join(import.meta.dirname, '../../dist/page/index.html')

type AxeResult = { readonly violations: readonly { id: string; impact: string; nodes: readonly { html: string }[] }[] }

/** Evaluated in the page. */
const playerTime = "document.querySelector('.player video').currentTime"
const isReady =
  "(({ readyState, seeking }) => readyState >= 2 && !seeking)(document.querySelector('.player video') ?? { readyState: 2 })"
const patience = { timeout: 20_000 }

const lacking = [
  ...(existsSync(chromiumPath) ? [] : [`no ${chromiumPath}`]),
  ...(existsSync(builtPage) ? [] : ['no page: npm run build']),
]
if (lacking.length > 0) console.warn(`The tests in a browser are skipped: ${lacking.join(', ')}`)

describe.skipIf(lacking.length > 0)('the page', () => {
  let browser: Browser
  let page: Page
  let url: string
  const problems: string[] = []

  beforeAll(async () => {
    const { store } = await makeFootage()
    const server = await startServer({ store })
    ;({ url } = server)
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    page.on('dialog', (dialog) => {
      problems.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    await page.goto(url)
  })
  afterAll(() => browser?.close())

  it('shows every video, whose name stays text', async () => {
    await page.waitForSelector('.wall .name')
    expect(await page.textContent('.wall .name')).toBe(hostileName)
    expect(await page.locator('img[src="x"]').count()).toBe(0)
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

  it('plays the first moment from its peak, by keys alone', async () => {
    await page.focus('input[type=search]')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.player')
    const { moments } = (await (await fetch(`${url}api/v1/search?q=a+cup+of+coffee`)).json()) as {
      moments: readonly { t: number }[]
    }
    await expect.poll(() => page.evaluate(isReady), patience).toBe(true)
    // Some builds lack the codec: then there is a picture in the player's place.
    if (await page.locator('.player .note').count()) return
    const currentTime = await page.evaluate<number>(playerTime)
    expect(Math.abs(currentTime - moments[0]!.t)).toBeLessThan(0.05)
    await page.keyboard.press('l')
    await expect.poll(() => page.evaluate(playerTime), patience).toBeGreaterThan(currentTime + 4.9)
  })

  it('has nothing that axe finds serious', async () => {
    // As a script of the test: the page's own policy lets no other in.
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'))
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme })
      const { violations } = await page.evaluate<AxeResult>('axe.run()')
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
    }
  })

  it('fits a phone, and Esc leads back', async () => {
    await page.setViewportSize({ width: 390, height: 800 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await page.keyboard.press('Escape')
    await page.waitForSelector('.player', { state: 'detached' })
  })

  it('ran without an error', () => {
    expect(problems).toEqual([])
  })
})
