/**
 * Bytes on disk that a point takes in the embedded store, and what stands there while it is filled.
 *
 *   npx tsx bench/bytes.ts [points] [dimension]
 *
 * Points as an ingest writes them: 19 a frame, one frame a second, videos of an hour, paths of 60 characters. Where there
 * is an index, it takes as much room again as the vectors.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedStore } from '../src/store/embedded/embeddedStore.ts'
import { defaultUpkeep } from '../src/store/embedded/vectorIndex.ts'
import { pointId } from '../src/store/point.ts'
import type { Point } from '../src/store/store.ts'
import { normal, randomNumbers } from '../test/store/samples.ts'

const [count = 50_000, dimension = 384] = process.argv.slice(2, 4).map(Number)
const batchSize = 256
const perFrame = 19
const random = randomNumbers(1)

const unit = (): Float32Array => {
  const numbers = Float32Array.from({ length: dimension }, () => normal(random))
  const length = Math.hypot(...numbers)
  return numbers.map((x) => x / length)
}

const pointAt = (i: number): Point => {
  const frame = Math.floor(i / perFrame)
  const hour = Math.floor(frame / 3600)
  const video = createHash('sha256').update(`${hour}`).digest('hex').slice(0, 32)
  const [t, patch] = [(frame % 3600) + 0.04, i % perFrame]
  const box = [(patch % 6) / 6, Math.floor(patch / 6) / 4, 0.28125, 0.5] as const
  const path = `/footage/2026/camera-${String(hour % 20).padStart(2, '0')}/recording-${String(hour).padStart(8, '0')}.mp4`
  return {
    id: pointId(video, 'bench-1', t, patch),
    vector: unit(),
    video,
    path: path.padEnd(60, '_'),
    t,
    until: t,
    patch,
    box,
  }
}

const bytesIn = async (path: string): Promise<number> => {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory()) return found?.size ?? 0
  const inside = await Promise.all((await readdir(path)).map((name) => bytesIn(join(path, name))))
  return inside.reduce((sum, bytes) => sum + bytes, 0)
}

const folder = await mkdtemp(join(tmpdir(), 'vidgrep-bytes-'))
const open = (keepVersionsMs: number) =>
  openEmbeddedStore(
    folder,
    { collection: 'bytes', create: { model: 'bench-1', dimension } },
    { ...defaultUpkeep, keepVersionsMs },
  )
try {
  const filling = await open(defaultUpkeep.keepVersionsMs)
  for (let at = 0; at < count; at += batchSize) {
    await filling.upsert(Array.from({ length: Math.min(batchSize, count - at) }, (_, i) => pointAt(at + i)))
  }
  const filled = await bytesIn(folder)
  await filling.optimize()
  const optimized = await bytesIn(folder)
  await filling.close()
  const later = await open(0)
  await later.optimize()
  await later.close()
  const settled = await bytesIn(folder)
  const indexed = count >= defaultUpkeep.indexFromPoints
  const ofPoint = (bytes: number) => Math.round(bytes / count)
  console.log(
    JSON.stringify({
      points: count,
      dimension,
      indexed,
      bytesPerPoint: { filled: ofPoint(filled), optimized: ofPoint(optimized), settled: ofPoint(settled) },
    }),
  )
} finally {
  await rm(folder, { recursive: true, force: true })
}
