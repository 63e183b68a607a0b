import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { resolve, sep } from 'node:path'
import type { Encoder } from '../encoder/encoder.ts'
import type { Store } from '../store/store.ts'
import { findVideos } from '../video/walk.ts'
import { type Catalogue, openCatalogue } from './catalogue.ts'
import { type DecodeContext, decode } from './decode.ts'
import { encode } from './encode.ts'
import type { IngestEvent, IngestTotals, VideoResult } from './events.ts'
import type { SamplingSettings } from './job.ts'
import { merge } from './merge.ts'
import { write } from './write.ts'

export type IngestOptions = SamplingSettings & {
  readonly store: Store
  readonly encoder: Encoder
  /** Videos decoded at once; default: one a core, at most 4, as the encoder is the slow part. */
  readonly jobs?: number | undefined
  /** Index again what is complete. */
  readonly force?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Decoded frames that wait for the encoder, over all videos; a frame is about 1.3 MB at 16:9 and 224 px patches. */
const lookAheadFrames = 6

/**
 * Files and folders → points in the store. Hands out what happens; ends with `done`.
 *
 * Nothing is done twice: complete videos cost a look at the file, unfinished ones go on where they were. A video that
 * fails does not stop the others. Ended by `signal`, everything encoded so far is kept.
 * @throws StoreError, EncoderError when the run as a whole cannot go on
 */
export async function* ingest(roots: readonly string[], options: IngestOptions): AsyncGenerator<IngestEvent, void> {
  const { store, encoder, signal } = options
  const startedMs = performance.now()
  const found = await list(roots, signal)
  yield* found.skipped
  yield { type: 'found', videos: found.paths.length, bytes: found.bytes }

  const catalogue = await openCatalogue(store, signal)
  const context: DecodeContext = {
    store,
    catalogue,
    running: new Map(),
    image: encoder.model.image,
    settings: { everySeconds: options.everySeconds, grid: options.grid },
    force: options.force ?? false,
  }
  const decoded = merge(
    found.paths.map((path) => (stop: AbortSignal) => decode(path, context, stop)),
    { concurrency: options.jobs ?? Math.min(availableParallelism(), 4), lookAhead: lookAheadFrames, signal },
  )
  const results: VideoResult[] = []
  for await (const event of write(encode(decoded, encoder, signal), store, catalogue)) {
    if (event.type === 'video') results.push(event.result)
    yield event
  }
  await store.optimize({ signal })
  yield* vanished(roots, found.paths, catalogue)
  yield { type: 'done', totals: totalsOf(results, found.skipped.length, (performance.now() - startedMs) / 1000) }
}

const list = async (roots: readonly string[], signal?: AbortSignal) => {
  const paths: string[] = []
  const skipped: IngestEvent[] = []
  let bytes = 0
  for await (const item of findVideos(roots, { signal })) {
    if ('skipped' in item) {
      skipped.push({ type: 'skipped', path: item.path, reason: item.skipped })
    } else {
      paths.push(item.path)
      bytes += await sizeOf(item.path)
    }
  }
  return { paths, skipped, bytes }
}

/** Only for the progress: a file that cannot be looked at fails later, with its reason. */
const sizeOf = async (path: string): Promise<number> => {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}

/** Known files under the roots that are not there any more. */
function* vanished(roots: readonly string[], found: readonly string[], catalogue: Catalogue): Generator<IngestEvent> {
  const present = new Set(found)
  const folders = roots.map((root) => resolve(root))
  for (const path of catalogue.paths()) {
    const within = folders.some((folder) => path === folder || path.startsWith(folder + sep))
    if (within && !present.has(path)) yield { type: 'vanished', path }
  }
}

const totalsOf = (results: readonly VideoResult[], skipped: number, seconds: number): IngestTotals => {
  const withStatus = (status: string) => results.filter((result) => result.status === status).length
  const sum = (field: 'frames' | 'points' | 'encoded') => results.reduce((total, result) => total + result[field], 0)
  return {
    videos: results.length,
    complete: withStatus('complete'),
    partial: withStatus('partial'),
    failed: withStatus('failed'),
    skipped,
    frames: sum('frames'),
    points: sum('points'),
    encoded: sum('encoded'),
    seconds,
  }
}
