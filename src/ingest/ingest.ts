import { availableParallelism } from 'node:os'
import type { Encoder } from '../encoder/encoder.ts'
import { isGone } from '../files/files.ts'
import type { FoundFiles } from '../files/find.ts'
import { rootFinder } from '../files/paths.ts'
import type { Detail, Store } from '../store/store.ts'
import { version } from '../version.ts'
import { ffmpegVersions } from '../video/ffmpeg.ts'
import { type Catalogue, openCatalogue } from './catalogue.ts'
import { type Claims, openClaims } from './claim.ts'
import { noteCopies } from './copies.ts'
import { type DecodeContext, type Decoded, decode } from './decode.ts'
import { encode } from './encode.ts'
import { type IngestEvent, totalsOf, type VideoResult } from './events.ts'
import { merge } from './merge.ts'
import { openProfiles } from './profile.ts'
import { levelsUpTo, type SamplingSettings } from './sampling.ts'
import { tidyStills } from './stills.ts'
import { write } from './write.ts'

export type IngestOptions = SamplingSettings & {
  readonly store: Store
  readonly encoder: Encoder
  /** Videos decoded at once; default: one a core, at most 4, as the encoder is the slow part. */
  readonly jobs?: number
  /** Index again what is complete. */
  readonly force?: boolean
  /** ffmpeg's name of a hardware acceleration method. */
  readonly hwaccel?: string
  /** Every level of detail in a pass of its own over all videos, so that all can be searched soon. */
  readonly coarse?: boolean
  /** Keep a small picture of every sampled frame in the cache folder, which the page shows at once. @default true */
  readonly stills?: boolean
  readonly signal?: AbortSignal
}

/** Decoded frames that wait for the encoder, over all videos; a frame is about 1.2 MB at 16:9 and 224 px patches, 4.9 at `high`. */
const lookAheadFrames = 6

/**
 * Files → points in the store. Hands out what happens; ends with `done`.
 *
 * Nothing is done twice: complete videos cost a look at the file, unfinished ones go on where they were. A video that
 * fails does not stop the others. Ended by `signal`, everything encoded so far is kept.
 * @throws StoreError, EncoderError when the run as a whole cannot go on
 */
export async function* ingest(found: FoundFiles, options: IngestOptions): AsyncGenerator<IngestEvent, void> {
  const { store, encoder, signal } = options
  const startedMs = performance.now()
  // Without it every file would fail for the same reason.
  const { ffmpeg } = await ffmpegVersions()
  const tools = `vidgrep ${version}, ffmpeg ${ffmpeg.version}`
  yield* found.skipped.map((skipped) => ({ type: 'skipped' as const, ...skipped }))
  yield { type: 'found', videos: found.paths.length, bytes: found.bytes }

  const catalogue = await openCatalogue(store, tools, { signal })
  const claims = openClaims(store, catalogue, tools)
  const profiles = openProfiles(store, catalogue, encoder, { signal })
  const watch = watchEncoder(encoder)
  const pass = (options: IngestOptions) => {
    const decoded = decodeAll(found.paths, catalogue, claims, options)
    return write(encode(decoded, encoder, { signal, onBatch: watch.lap }), { store, catalogue, claims, profiles })
  }
  const earlier = options.coarse ? levelsUpTo(options.grid).slice(0, -1) : []
  let encodedBefore = 0
  for (const [i, grid] of earlier.entries()) {
    encodedBefore += yield* coarsePass(pass({ ...options, grid, force: options.force && i === 0 }), grid, store, signal)
  }
  const results: VideoResult[] = []
  // What an earlier pass has made anew must not be thrown away.
  for await (const event of pass({ ...options, force: options.force && earlier.length === 0 })) {
    if (event.type === 'video') results.push(event.result)
    yield event
  }
  await catalogue.deletePathless()
  await profiles.addMissing()
  await store.optimize({ signal })
  await noteCopies(store, encoder.model, { signal })
  yield* vanished(found, catalogue, results)
  const seconds = (performance.now() - startedMs) / 1000
  const device = encoder.placements.pictures?.device ?? null
  const totals = totalsOf(results, found)
  const encoded = encodedBefore + totals.encoded
  if (encoded > 0) await tidyStills()
  yield { type: 'done', totals: { ...totals, encoded, seconds, encoderBusy: watch.busy(), device } }
}

/** What failed here fails again in the pass that follows, which tells it. @returns patches that were encoded */
async function* coarsePass(
  events: AsyncIterable<IngestEvent>,
  detail: Detail,
  store: Store,
  signal: AbortSignal | undefined,
): AsyncGenerator<IngestEvent, number> {
  let encoded = 0
  for await (const event of events) {
    if (event.type === 'video') {
      encoded += event.result.encoded
      yield { type: 'coarse', path: event.result.path, bytes: event.bytes }
    } else if (event.type !== 'software') {
      yield event
    }
  }
  await store.optimize({ signal })
  yield { type: 'searchable', detail }
  return encoded
}

/** Several videos side by side; the cores are shared out among them. */
async function* decodeAll(
  paths: readonly string[],
  catalogue: Catalogue,
  claims: Claims,
  options: IngestOptions,
): AsyncGenerator<Decoded> {
  const { store, encoder, everySeconds, decode: frames, grid, tolerance, hwaccel, stills, signal } = options
  const cores = availableParallelism()
  const concurrency = options.jobs ?? Math.min(cores, 4)
  const context: DecodeContext = {
    store,
    catalogue,
    claims,
    running: new Map(),
    image: encoder.model.image,
    settings: { everySeconds, decode: frames, grid, tolerance },
    threads: Math.max(1, Math.floor(cores / Math.min(concurrency, paths.length))),
    hwaccel,
    force: options.force ?? false,
    keepsStills: stills ?? true,
  }
  const sources = paths.map((path) => (stop: AbortSignal) => decode(path, context, stop))
  yield* merge(sources, { concurrency, lookAhead: lookAheadFrames, signal })
}

/** Holds the time that the encoder computed against the time that passed. */
const watchEncoder = (encoder: Encoder) => {
  const now = () => ({ atSeconds: performance.now() / 1000, busySeconds: encoder.busy.seconds })
  let first: ReturnType<typeof now> | undefined
  let last: ReturnType<typeof now> | undefined
  return {
    lap: (): void => {
      if (first) last = now()
      else first = now()
    },
    busy: (): number | null =>
      first && last ? (last.busySeconds - first.busySeconds) / (last.atSeconds - first.atSeconds) : null,
  }
}

/** Known files under the roots that are not there any more. */
async function* vanished(
  { roots, isOurs }: FoundFiles,
  catalogue: Catalogue,
  results: readonly VideoResult[],
): AsyncGenerator<IngestEvent> {
  // What took a while to index may be gone since.
  const present = new Set(results.filter(isUntouched).map(({ path }) => path))
  const rootOf = rootFinder(roots)
  for (const path of catalogue.paths()) {
    const isConcerned = !present.has(path) && rootOf(path) !== undefined && isOurs(path)
    if (isConcerned && (await isGone(path))) yield { type: 'vanished', path }
  }
}

const isUntouched = ({ status, encoded }: VideoResult): boolean => status === 'complete' && encoded === 0
