/**
 * A process of its own that loads points into a Qdrant server: `tsx qdrant-loader.ts URL COLLECTION COUNT`. Says how many
 * it wrote, and then stays, as a loader that waits for its next video.
 */
import { openQdrantStore } from '../../src/store/qdrant/store.ts'
import { dimension, model, samplePoint } from './samples.ts'

const [url = '', collection = '', count = '0'] = process.argv.slice(2)
const batchSize = 5000

const apiKey = process.env.QDRANT_API_KEY
const store = await openQdrantStore(url, { collection, create: { model, dimension }, apiKey })
for (let at = 0; at < Number(count); at += batchSize) {
  await store.upsert(Array.from({ length: batchSize }, (_, i) => samplePoint(at + i)))
}
process.stdout.write(`wrote ${count}\n`)
setInterval(() => {}, 1000)
