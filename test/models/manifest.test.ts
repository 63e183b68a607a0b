import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { manifest } from '../../src/models/manifest.ts'

const folder = join(import.meta.dirname, '../../models')
const read = async (path: string) => JSON.parse(await readFile(join(folder, path), 'utf8'))
const { models } = manifest.parse(await read('manifest.json'))

test('the manifest keeps to its schema, and no two models share a name or an id', () => {
  expect(new Set(models.map(({ name }) => name)).size).toBe(models.length)
  expect(new Set(models.map(({ id }) => id)).size).toBe(models.length)
})

test.each(models)('$name lists each file that its towers name', ({ image, text, files }) => {
  const paths = files.map(({ path }) => path)
  expect(paths).toEqual(expect.arrayContaining([image.file, text.file, text.tokenizer]))
  expect(new Set(paths).size).toBe(paths.length)
})

test.each(models.filter(({ carried }) => carried))(
  '$name lies in the package, byte for byte',
  async ({ name, files }) => {
    for (const { path, bytes, sha256 } of files) {
      const data = await readFile(join(folder, name, path))
      expect({ path, bytes: data.length, sha256: createHash('sha256').update(data).digest('hex') }).toEqual({
        path,
        bytes,
        sha256,
      })
    }
  },
)

test('the carried model says the same of itself as the manifest', async () => {
  const { image, text, ...own } = await read('starter/model.json')
  const entry = models.find(({ name }) => name === 'starter')!
  const { sha256: _image, ...imageTower } = image
  const { sha256: _text, ...textTower } = text
  expect(entry).toMatchObject({ ...own, licence: entry.licence, image: imageTower, text: textTower })
})
