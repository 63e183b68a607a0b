import { readFileSync } from 'node:fs'

/** Version of vidgrep. */
export const { version }: { readonly version: string } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
)
