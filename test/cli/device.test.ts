import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { vidgrep } from './program.ts'

const clips = join(import.meta.dirname, '../clips')
/** No platform has both: DirectML is Windows' own. */
const missing = process.platform === 'win32' ? 'coreml' : 'dml'

let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'vidgrep-device-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

const clip = async () => join(clips, (await readdir(clips)).find((name) => name.endsWith('.mp4'))!)

test('index on a device that is not there is refused, and leaves no collection behind', async () => {
  const environment = { VIDGREP_HOME: home }
  const { code, stdout, stderr } = await vidgrep(['index', await clip(), '--device', missing, '--json'], environment)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(JSON.parse(stderr).error).toMatchObject({
    code: 'device-unavailable',
    message: expect.stringContaining(missing),
    remedy: expect.stringContaining('--device cpu'),
  })
  const search = await vidgrep(['search', 'a car', '--json'], environment)
  expect(JSON.parse(search.stderr).error.code).toBe('collection-missing')
})

test('index says what it computed on, and doctor what was measured there and how the store searches', async () => {
  const environment = { VIDGREP_HOME: home, VIDGREP_DEVICE: 'cpu' }
  const words = ['index', await clip(), '--detail', 'whole', '--every', '2', '--json']
  const first = JSON.parse((await vidgrep(words, environment)).stdout)
  expect(first.totals.device).toBe('cpu')
  const again = JSON.parse((await vidgrep(words, environment)).stdout)
  expect(again.totals).toMatchObject({ encoded: 0, device: null })
  const doctor = JSON.parse((await vidgrep(['doctor', '--json'], environment)).stdout)
  const detailsOf = (check: string) => doctor.find(({ name }: { name: string }) => name === check).details
  expect(detailsOf('store')).toMatchObject({
    exact: true,
    search: expect.stringMatching(/^scan of \d+ points; an index is built from 50000 points on$/),
  })
  expect(detailsOf('model')).toMatchObject({
    pictures: 'on cpu, from image.onnx',
    texts: 'on cpu, from text.onnx',
    speed: expect.stringMatching(/^\d+ pictures\/s, 4 a batch$/),
    sessions: `${availableParallelism()} side by side, 1 thread each`,
  })
})

test('a device that has no name is wrong usage', async () => {
  const { code, stderr } = await vidgrep(['search', 'a car'], { VIDGREP_HOME: home, VIDGREP_DEVICE: 'gpu' })
  expect(code).toBe(2)
  expect(stderr).toContain('auto, cpu, cuda')
})
