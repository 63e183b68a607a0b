import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Before any test: the program is compiled where its source is newer. Tests that start it run what was compiled, as users
 * do, and what the others start does the same: a loader for TypeScript takes longer to start than most of them run.
 */
export const setup = (): void => {
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const newestMs = Math.max(...sources.map((name) => statSync(`${root}src/${name}`).mtimeMs))
  const compiledMs = statSync(`${root}dist/compiled.tsbuildinfo`, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (newestMs > compiledMs)
    execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', 'tsconfig.build.json'], {
      cwd: root,
      stdio: 'inherit',
    })
  process.env.VIDGREP_COMPILED = `${root}dist/encoder/worker`
}
