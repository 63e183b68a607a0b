import { access } from 'node:fs/promises'
import { type Encoder, type OpenEncoder, openEncoder } from './encoder/encoder.ts'
import { UsageError } from './errors.ts'
import { findFiles } from './files/find.ts'
import { NotAVideoError } from './files/regular.ts'
import { captionVectors } from './ingest/profile.ts'
import { loadModel } from './models/load.ts'
import type { Model } from './models/model.ts'
import { keepMeasuredCosine, leastMixableCosine, precisionsOf } from './models/precision.ts'
import { planPatches } from './patches/views.ts'
import { evenly } from './search/timeline.ts'
import { type Precision, type SettingsOptions, settingsFrom } from './settings.ts'
import { openStore } from './store/openStore.ts'
import { dot } from './store/point.ts'
import { probe } from './video/probe.ts'
import { frame } from './video/still.ts'
import { DamagedVideoError, type Picture } from './video/video.ts'

export type CheckModelOptions = Omit<SettingsOptions, 'model' | 'precision'> &
  Pick<OpenEncoder, 'onNotice' | 'signal'> & {
    /** Videos and folders to take frames from. Default: the videos of the collection. */
    readonly paths?: readonly string[]
    /** Frames to look at, some three patches each: 40 take 10 seconds a precision with ViT-B/32. @default 40 */
    readonly frames?: number
  }

/** How a precision compares with full on a user's own frames. */
export type PrecisionCheck = {
  readonly precision: Precision
  /** Of each patch's embedding and its full one, −1 to 1. */
  readonly cosine: Spread
  /** The same after the mean of all patches was taken off: what sets patches apart. */
  readonly centredCosine: Spread
  /** Share (0–1) of the ten best patches of plain captions that are among the ten best in full. */
  readonly topTen: number
  /** In one session of one thread. */
  readonly patchesASecond: number
  /** Whether its points may lie in one collection with full ones. */
  readonly isMixable: boolean
}

export type Spread = { readonly mean: number; readonly least: number }

export type ModelCheck = {
  readonly model: string
  readonly videos: number
  readonly frames: number
  readonly patches: number
  /** Videos of which no frame could be decoded. */
  readonly skipped: readonly string[]
  /** Full first. */
  readonly precisions: readonly PrecisionCheck[]
  /** The fastest that finds what full finds. */
  readonly take: Precision
}

/**
 * Measures what each precision of a model loses and gains on a sample of frames, and keeps for this machine whether its
 * points may be mixed with full ones.
 *
 * @throws UsageError if there is no such model, or no video to take frames from
 * @throws EncoderError if a precision's file gives no embeddings of the model
 */
export const checkModel = async (name: string, options: CheckModelOptions = {}): Promise<ModelCheck> => {
  const { paths = [], frames: wanted = 40, onNotice, signal } = options
  const full = await loadModel(name)
  const files = paths.length > 0 ? (await findFiles(paths)).paths : await filesOfCollection(options)
  const sample = await takeSample(files, full, wanted, signal)
  const { device } = settingsFrom(options)
  const precisions: PrecisionCheck[] = []
  let exact: readonly Float32Array[] = []
  let captions: readonly Float32Array[] = []
  for (const precision of precisionsOf(full)) {
    const model = await loadModel(name, { precision })
    // One session alone: what is measured is what each core does.
    const encoder = await openEncoder(model, { device, threads: 1, sessions: 1, onNotice, signal })
    try {
      if (precision === 'full') captions = await captionVectors(encoder, { signal })
      const { vectors, patchesASecond } = await encode(encoder, sample.patches)
      if (precision === 'full') exact = vectors
      const cosine = spreadOf(exact.map((vector, i) => dot(vector, vectors[i]!)))
      const [centredExact, centred] = [centre(exact), centre(vectors)]
      const centredCosine = spreadOf(centredExact.map((vector, i) => dot(vector, centred[i]!)))
      if (precision !== 'full') await keepMeasuredCosine(model, cosine.mean)
      const topTen = overlap(captions, exact, vectors)
      const isMixable = cosine.mean >= leastMixableCosine
      precisions.push({ precision, cosine, centredCosine, topTen, patchesASecond, isMixable })
    } finally {
      await encoder.close()
    }
  }
  const { frames, videos, skipped, patches } = sample
  return { model: full.name, videos, frames, patches: patches.length, skipped, precisions, take: fastest(precisions) }
}

const filesOfCollection = async (options: CheckModelOptions): Promise<readonly string[]> => {
  const { store: location, collection, apiKey } = settingsFrom(options)
  const store = await openStore(location, { collection, apiKey, signal: options.signal })
  try {
    const paths = (await store.records()).map(({ files }) => files.map(({ path }) => path))
    const found = await Promise.all(paths.map(firstThere))
    return found.filter((path) => path !== undefined)
  } finally {
    await store.close()
  }
}

const firstThere = async (paths: readonly string[]): Promise<string | undefined> => {
  for (const path of paths) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  return undefined
}

type Sample = Pick<ModelCheck, 'videos' | 'frames' | 'skipped'> & { readonly patches: readonly Uint8Array[] }

/** Frames from all over the videos, cut as an index run at `low` detail cuts them. */
const takeSample = async (
  files: readonly string[],
  model: Model,
  wanted: number,
  signal: AbortSignal | undefined,
): Promise<Sample> => {
  const chosen = evenly(files, wanted)
  const framesEach = Math.ceil(wanted / Math.max(1, chosen.length))
  const patches: Uint8Array[] = []
  const skipped: string[] = []
  let frames = 0
  for (const path of chosen) {
    try {
      const info = await probe(path, { signal })
      const plan = planPatches(info, 'low', model.image)
      for (let i = 0; i < framesEach; i++) {
        const timestampSeconds = ((i + 0.5) / framesEach) * (info.durationSeconds ?? 0)
        const views: Picture[] = []
        for (const { width, height } of plan.views)
          views.push(await frame(path, timestampSeconds, { width, height, info, signal }))
        for (const { cut } of plan.patches) {
          const pixels = new Uint8Array(plan.patchBytes)
          cut({ timestampSeconds, views }, pixels, 0)
          patches.push(pixels)
        }
        frames += 1
      }
    } catch (error) {
      if (!(error instanceof NotAVideoError || error instanceof DamagedVideoError)) throw error
      skipped.push(path)
    }
  }
  if (patches.length > 0) return { videos: chosen.length - skipped.length, frames, skipped, patches }
  throw new UsageError(
    `Expected videos to take frames from, got ${files.length === 0 ? 'none' : 'none that decodes'}`,
    {
      remedy: `Name some: vidgrep models check ${model.name} FOLDER`,
    },
  )
}

const encode = async (encoder: Encoder, patches: readonly Uint8Array[]) => {
  await encoder.encodePictures(patches[0]!)
  const before = encoder.busy.seconds
  const vectors: Float32Array[] = []
  for (let at = 0; at < patches.length; at += encoder.batchSize)
    vectors.push(...(await encoder.encodePictures(Buffer.concat(patches.slice(at, at + encoder.batchSize)))))
  return { vectors, patchesASecond: patches.length / (encoder.busy.seconds - before) }
}

const spreadOf = (cosines: readonly number[]): Spread => ({
  mean: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length,
  least: Math.min(...cosines),
})

/** @returns unit vectors of what sets each apart from the mean of all */
const centre = (vectors: readonly Float32Array[]): readonly Float32Array[] => {
  const mean = vectors[0]!.map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length)
  return vectors.map((vector) => {
    const apart = vector.map((x, i) => x - mean[i]!)
    const length = Math.sqrt(dot(apart, apart))
    // Where all patches are the same nothing sets them apart, in any precision.
    return length > 1e-6 ? apart.map((x) => x / length) : vector
  })
}

const overlap = (
  queries: readonly Float32Array[],
  exact: readonly Float32Array[],
  vectors: readonly Float32Array[],
): number => {
  const shares = queries.map((query) => {
    const [wanted, found] = [best(query, exact), best(query, vectors)]
    return found.filter((i) => wanted.includes(i)).length / wanted.length
  })
  return shares.reduce((sum, share) => sum + share, 0) / shares.length
}

/** Indices of the ten nearest. */
const best = (query: Float32Array, vectors: readonly Float32Array[]): readonly number[] =>
  vectors
    .map((vector, i) => ({ i, score: dot(query, vector) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, 10)
    .map(({ i }) => i)

/** Share of the ten best that a precision must find to be taken in place of full, and how much faster it must be. */
const leastTopTen = 0.9
const leastGain = 1.1

/** @param precisions full first @returns the fastest that finds what full finds */
export const fastest = ([full, ...lesser]: readonly PrecisionCheck[]): Precision => {
  const good = lesser.filter(
    ({ isMixable, topTen, patchesASecond }) =>
      isMixable && topTen >= leastTopTen && patchesASecond >= leastGain * full!.patchesASecond,
  )
  return good.sort((a, b) => b.patchesASecond - a.patchesASecond)[0]?.precision ?? 'full'
}
