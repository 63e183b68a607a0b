import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach } from 'vitest'
import { type Index, type IndexOptions, type IngestEvent, openIndex } from '../../src/index.ts'
import { loadModel } from '../../src/models/load.ts'
import { defaultCollection } from '../../src/settings.ts'
import { openEmbeddedStore } from '../../src/store/embedded/embeddedStore.ts'
import type { Point } from '../../src/store/store.ts'
import { ffmpegVersions } from '../../src/video/ffmpeg.ts'

export const clip = (name: string): string => fileURLToPath(new URL(`../clips/${name}`, import.meta.url))

/**
 * A model of a few kilobytes, which tells pictures apart and knows nothing: what is stored, when and where, is the same as
 * with any other, in a fiftieth of the time.
 */
export const tiny = fileURLToPath(new URL('../reference/graphs', import.meta.url))

const folders: string[] = []
const opened: Index[] = []

/** A folder that goes when the test ends. */
export const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-test-'))
  folders.push(folder)
  return folder
}

/** With the {@link tiny} model, unless another one is named: `starter` where it matters what is seen. */
export const open = async (store: string, options: Parameters<typeof openIndex>[0] = {}): Promise<Index> => {
  const index = await openIndex({ store, model: tiny, ...options })
  opened.push(index)
  return index
}

/** With a collection that is there and holds nothing: what another process writes can be seen from the start. */
export const openEmpty = async (folder: string): Promise<Index> => {
  const { id, dimension } = await loadModel(tiny)
  const store = await openEmbeddedStore(folder, { collection: defaultCollection, create: { model: id, dimension } })
  await store.close()
  return open(folder)
}

/** Waits until more points are stored than before, or the process ends. @returns whether it still runs */
export const sawPoints = async (index: Index, ended: Promise<unknown>, before = 0): Promise<boolean> => {
  let isRunning = true
  void ended.then(() => (isRunning = false))
  while (isRunning && (await index.store!.countPoints()) <= before) await setTimeout(20)
  return isRunning
}

afterEach(async () => {
  for (const index of opened.splice(0)) await index.close()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

export type Run = {
  readonly events: readonly IngestEvent[]
  readonly results: readonly Extract<IngestEvent, { type: 'video' }>['result'][]
  readonly totals: Extract<IngestEvent, { type: 'done' }>['totals']
}

/** One complete ingest. */
export const run = async (index: Index, paths: readonly string[], options: IndexOptions = {}): Promise<Run> => {
  const events: IngestEvent[] = []
  for await (const event of index.ingest(paths, options)) events.push(event)
  const results = events.flatMap((event) => (event.type === 'video' ? [event.result] : []))
  const done = events.find((event) => event.type === 'done')
  if (!done) throw new Error('Expected the run to end with its totals')
  return { events, results, totals: done.totals }
}

/** Ids and vectors of everything in the collection. */
export const contents = async (index: Index): Promise<ReadonlyMap<string, Float32Array>> => {
  const store = index.store!
  const all = new Map<string, Float32Array>()
  for (const { video } of await index.videos()) {
    for (const [id, { vector }] of await store.points([...(await store.pointIds(video))])) all.set(id, vector)
  }
  return all
}

export const pointsOf = async (index: Index): Promise<readonly Omit<Point, 'vector'>[]> => {
  const store = index.store!
  const anywhere = new Float32Array(store.collection.dimension)
  anywhere[0] = 1
  return store.search(anywhere, { limit: await store.countPoints() })
}

/** Short clips of one colour or of noise, different in content, quick to encode. */
export const makeClip = async (file: string, source: string, seconds: number): Promise<string> => {
  const { ffmpeg } = await ffmpegVersions()
  const input = ['-f', 'lavfi', '-i', `${source}${source.includes('=') ? ':' : '='}size=128x96:rate=10`]
  const output = ['-t', `${seconds}`, '-pix_fmt', 'yuv420p', '-y', file]
  await promisify(execFile)(ffmpeg.path, ['-v', 'error', ...input, ...output])
  return file
}

export const copyClip = async (name: string, folder: string, as = name): Promise<string> => {
  const target = join(folder, as)
  await copyFile(clip(name), target)
  return target
}
