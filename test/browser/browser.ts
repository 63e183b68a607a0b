import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'

const chromiumPath = '/usr/bin/chromium'
const builtPage = join(import.meta.dirname, '../../dist/page/index.html')

/** Why there can be no tests in a browser here. */
export const lacking: readonly string[] = [
  ...(existsSync(chromiumPath) ? [] : [`no ${chromiumPath}`]),
  ...(existsSync(builtPage) ? [] : ['no page: npm run build']),
]
if (lacking.length > 0) console.warn(`The tests in a browser are skipped: ${lacking.join(', ')}`)

/** For machines that are busy with other tests. */
export const patience = { timeout: 120_000 }

/** A page, and what went wrong in it: errors, and dialogs that a name which became markup would open. */
export const openBrowser = async () => {
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  page.setDefaultTimeout(patience.timeout)
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('response', async (response) => {
    if (response.status() === 500) problems.push(`${response.url()}: ${await response.text()}`)
  })
  page.on('dialog', (dialog) => {
    problems.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  return { page, problems, close: () => browser.close() }
}

type AxeResult = {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { html: string }[] }[]
}

/** What axe finds in the page as it is, dark and light. */
export const axeProblems = async (page: Page): Promise<readonly string[]> => {
  // As a script of the test: the page's own policy lets no other in.
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'))
  const problems: string[] = []
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    const { violations } = await page.evaluate<AxeResult>('axe.run()')
    problems.push(...violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes[0]?.html}`))
  }
  return problems
}
