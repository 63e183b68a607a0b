/**
 * A process of its own that writes to an embedded store: `tsx embedded-writer.ts FOLDER COLLECTION FIRST COUNT [RECORD]`.
 * Says "ready" once it has opened the store and starts at the first line on stdin, so that several write at once.
 */
import { once } from 'node:events'
import { openEmbeddedStore } from '../../src/store/embedded/embeddedStore.ts'
import { dimension, model, putRecord, samplePoint, sampleRecord } from './samples.ts'

const [folder = '', collection = '', first = '0', count = '0', record] = process.argv.slice(2)
const batchSize = 20

const store = await openEmbeddedStore(folder, { collection, create: { model, dimension } })
process.stdout.write('ready\n')
await once(process.stdin, 'data')
process.stdin.destroy()
for (let at = Number(first); at < Number(first) + Number(count); at += batchSize) {
  await store.upsert(Array.from({ length: batchSize }, (_, i) => samplePoint(at + i, { path: `/by/${process.pid}` })))
  process.stdout.write(`wrote ${at + batchSize}\n`)
}
if (record) await putRecord(store, sampleRecord(record))
await store.close()
