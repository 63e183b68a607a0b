import { join } from 'node:path'
import { expect, it } from 'vitest'
import { deleteIfPathless, openCatalogue } from '../../src/ingest/catalogue.ts'
import { openEmbeddedStore } from '../../src/store/embedded/embeddedStore.ts'
import { dimension, model, putRecord, samplePoint, sampleRecord } from '../store/samples.ts'
import { temporaryFolder } from './indexing.ts'

const create = { model, dimension }
const file = (path: string) => ({ path, bytes: 1, modifiedMs: 1 })

it('keeps every path that several processes add to one video at the same moment', async () => {
  const folder = join(await temporaryFolder(), 'store')
  const stores = await Promise.all([1, 2, 3].map(() => openEmbeddedStore(folder, { collection: 'one', create })))
  const catalogues = await Promise.all(stores.map((store) => openCatalogue(store, 'tools')))
  const paths = catalogues.map((_, process) => Array.from({ length: 10 }, (_, i) => `/${process}/${i}.mp4`))
  await Promise.all(
    catalogues.map(async (catalogue, process) => {
      for (const path of paths[process]!) {
        await catalogue.update('a', (record = sampleRecord('a', { files: [] })) => ({
          ...record,
          files: [...record.files, file(path)],
        }))
      }
    }),
  )
  const record = await stores[0]!.record('a')
  expect(record?.files.map(({ path }) => path).sort()).toEqual(paths.flat().sort())
  for (const store of stores) await store.close()
})

it('removes a video that lies nowhere, and none that was given a path meanwhile', async () => {
  const store = await openEmbeddedStore(join(await temporaryFolder(), 'store'), { collection: 'one', create })
  const catalogue = await openCatalogue(store, 'tools')
  for (const [i, video] of ['a', 'b'].entries()) {
    await store.upsert([samplePoint(i, { video })])
    await putRecord(store, sampleRecord(video, { files: [] }))
  }
  await catalogue.update('b', (record) => record && { ...record, files: [file('/b.mp4')] })
  for (const video of ['a', 'b']) await deleteIfPathless(store, video)
  expect((await store.records()).map(({ video, status }) => [video, status])).toEqual([['b', 'complete']])
  expect([await store.countPoints('a'), await store.countPoints('b')]).toEqual([0, 1])
  await store.close()
})
