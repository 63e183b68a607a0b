import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openCatalogue } from '../../src/ingest/catalogue.ts'
import { openClaims } from '../../src/ingest/claim.ts'
import { addPlaces, type DecodeContext, type Decoded, join as joinJob } from '../../src/ingest/decode.ts'
import { newJob } from '../../src/ingest/job.ts'
import { loadModel } from '../../src/models/load.ts'
import { openEmbeddedStore } from '../../src/store/embedded/embeddedStore.ts'
import { dimension, model, putRecord, sampleRecord } from '../store/samples.ts'
import { temporaryFolder } from './indexing.ts'

const settings = { everySeconds: 1, decode: 'references', grid: 'normal', tolerance: 6 } as const
const [first, copy] = ['/a.mp4', '/b.mp4'].map((path) => ({ path, bytes: 1, modifiedMs: 1 }))

it.each([
  ['is one more path of it', true, ['complete', 'complete']],
  ['failed, with the reason, if another process removes it at that moment', false, ['failed', 'failed']],
])('a file whose content is in the collection %s', async (_, isThere, statuses) => {
  const store = await openEmbeddedStore(join(await temporaryFolder(), 'store'), {
    collection: 'one',
    create: { model, dimension },
  })
  const record = sampleRecord('a', { files: [] })
  if (isThere) await putRecord(store, record)
  const catalogue = await openCatalogue(store, 'tools')
  const context: DecodeContext = {
    ...{ store, catalogue, claims: openClaims(store, catalogue, 'tools'), running: new Map(), settings },
    ...{ image: (await loadModel('starter')).image, threads: 1, force: false, keepsStills: false },
  }
  const job = newJob('a', first!, model, settings, 0)
  const told: Decoded[] = []
  for await (const item of addPlaces(job, record, context)) told.push(item)
  for await (const item of joinJob(job, copy!, context, 0)) told.push(item)
  const results = told.flatMap((item) => (item.kind === 'result' ? [item.result] : []))
  expect(results.map(({ path }) => path)).toEqual(['/a.mp4', '/b.mp4'])
  expect(results.map(({ status }) => status)).toEqual(statuses)
  if (isThere) expect((await store.record('a'))?.files.map(({ path }) => path).sort()).toEqual(['/a.mp4', '/b.mp4'])
  else expect(results[0]?.reason).toMatch(/another process removed it .* run it again/)
  await store.close()
})
