import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { expect, test } from 'vitest'

/*
 * The order in which the data walks: each place imports only from places below it. Biome's noImportCycles keeps the files
 * of one folder free of circles; this keeps the folders in line. docs/architecture.md says what belongs where.
 */

const order = [
  'cli',
  'server',
  'mcp',
  'index',
  'checkModel',
  'doctor',
  'reindex',
  'ingest',
  'search',
  'collection',
  'render',
  'encoder',
  'models',
  'patches',
  'video',
  'store',
  'files',
  'settings',
  'errors',
  'version',
]

/** Only these know the package: what they do not hand on can be replaced in one place. */
const owners: Readonly<Record<string, RegExp>> = {
  'onnxruntime-node': /^encoder\/worker\//,
  'onnxruntime-common': /^encoder\/worker\//,
  '@lancedb/lancedb': /^store\/embedded\//,
  'apache-arrow': /^store\/embedded\//,
  '@qdrant/js-client-rest': /^store\/qdrant\//,
  'fluent-ffmpeg': /^video\//,
  yargs: /^cli\//,
}

const source = join(import.meta.dirname, '../src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => /\.(ts|tsx|mjs)$/.test(file))

type Import = { readonly from: string; readonly to: string }

/** Static, dynamic and type imports and re-exports alike. */
const importsOf = (file: string): readonly Import[] =>
  [...readFileSync(join(source, file), 'utf8').matchAll(/(?:\bfrom|\bimport\(|^import)\s*'([^']+)'/gm)].map(
    ([, to]) => ({ from: file, to: to! }),
  )

/** The folder right under src, or the name of a file that lies there itself. */
const placeOf = (file: string): string => file.split('/')[0]!.replace(/\.ts$/, '')

const target = ({ from, to }: Import): string =>
  relative('.', posix.join(dirname(from), to))
    .split(sep)
    .join('/')

const listed = (imports: readonly Import[]): string => imports.map(({ from, to }) => `${from} imports ${to}`).join('\n')

const all = files.flatMap(importsOf)
const within = all.filter(({ to }) => to.startsWith('.')).filter(({ from }) => placeOf(from) !== 'page')

test('there is something to look at', () => {
  expect(files.length).toBeGreaterThan(50)
  expect(within.length).toBeGreaterThan(100)
})

test('every place of src has its rank', () => {
  const places = new Set(files.map(placeOf).filter((place) => place !== 'page'))
  expect([...places].filter((place) => !order.includes(place))).toEqual([])
})

test('imports point the way that the data comes from: never up, never in a circle', () => {
  const rank = (file: string) => order.indexOf(placeOf(file))
  const upward = within.filter((each) => rank(target(each)) < rank(each.from))
  expect(listed(upward)).toBe('')
})

test('the command line, the server and the assistant use the library by its public face', () => {
  const faces = ['index', 'errors', 'version']
  // The commands that start them.
  const started = ['server', 'mcp']
  const past = within.filter(
    (each) =>
      ['cli', 'server', 'mcp'].includes(placeOf(each.from)) &&
      placeOf(target(each)) !== placeOf(each.from) &&
      !(placeOf(each.from) === 'cli' && started.includes(placeOf(target(each)))) &&
      !faces.includes(placeOf(target(each))),
  )
  expect(listed(past)).toBe('')
})

test('each engine has one place that knows it', () => {
  const strays = all.filter(({ from, to }) => owners[to] && !owners[to].test(from))
  expect(listed(strays)).toBe('')
})
