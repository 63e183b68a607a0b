import { availableParallelism, cpus, totalmem } from 'node:os'
import { basename } from 'node:path'
import { type Placement, sideBySide } from './encoder/device.ts'
import { type Encoder, openEncoder } from './encoder/encoder.ts'
import { inFlight } from './encoder/pool.ts'
import { VidgrepError } from './errors.ts'
import { defaultModelName } from './models/disk.ts'
import { modelName } from './models/list.ts'
import { loadModel } from './models/load.ts'
import { parseModelId, precisionsOf } from './models/precision.ts'
import { folders, type Settings, type SettingsOptions, settingsFrom } from './settings.ts'
import { openStore } from './store/openStore.ts'
import { CollectionMissingError } from './store/store.ts'
import { ffmpegVersions } from './video/ffmpeg.ts'

export type Check = {
  readonly name: string
  readonly ok: boolean
  /** What was found; of a check that failed, `problem` and `remedy`. */
  readonly details: Readonly<Record<string, unknown>>
}

/** Checks each part that indexing and searching need. A part that fails does not stop the others. */
export const examine = async (options: SettingsOptions = {}): Promise<readonly Check[]> => {
  const settings = settingsFrom(options)
  const ffmpeg = check('ffmpeg', async () => {
    const versions = Object.entries(await ffmpegVersions())
    return Object.fromEntries(
      versions.map(([tool, { version, source, path }]) => [tool, `${version} (${source}: ${path})`]),
    )
  })
  const store = await check('store', () => tryStore(settings))
  const held = parseModelId(String(store.details.model))
  const model = settings.model ?? (await modelName(held.id)) ?? defaultModelName
  const precision = settings.precision ?? held.precision
  return [
    await check('machine', async () => machine()),
    await check('settings', async () => {
      const { store, collection, device } = settings
      return { ...folders(), store, collection, model, precision, device }
    }),
    await ffmpeg,
    await check('model', () => tryModel(model, { ...settings, precision })),
    store,
  ]
}

const check = async (name: string, examineIt: () => Promise<Record<string, unknown>>): Promise<Check> => {
  try {
    return { name, ok: true, details: await examineIt() }
  } catch (error) {
    if (!(error instanceof VidgrepError)) throw error
    return { name, ok: false, details: { problem: error.message, remedy: error.remedy } }
  }
}

const machine = () => ({
  node: process.version,
  system: `${process.platform} ${process.arch}`,
  cores: availableParallelism(),
  processor: cpus()[0]?.model ?? 'unknown',
  memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
  ...(process.platform === 'linux' ? { MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? noArenaLimit } : {}),
})

const noArenaLimit =
  'not set: with glibc, indexing for hours holds on to 300 MB for every 100,000 points. Set it to 2, as the vidgrep command does'

/** A text and some pictures through the model. */
const tryModel = async (name: string, { device, precision }: Settings) => {
  const model = await loadModel(name, { precision })
  const encoder = await openEncoder(model, { device })
  try {
    const encodingText = millisecondsOf(encoder.encodeTexts(['a red car']))
    encoder.load()
    const textMs = await encodingText
    const rate = await picturesPerSecond(encoder)
    const { placements, batchSize } = encoder
    return {
      id: model.id,
      dimension: model.dimension,
      threshold: model.threshold,
      precisions: precisionsOf(model).join(', '),
      'first text': `${Math.round(textMs)} ms`,
      pictures: placements.pictures && placementLine(placements.pictures),
      texts: placements.texts && placementLine(placements.texts),
      speed: `${Math.round(rate)} pictures/s, ${batchSize} a batch`,
      ...(placements.pictures?.device === 'cpu'
        ? { sessions: sessionsLine((await sideBySide(model))(placements.pictures.isPrepared ?? false)) }
        : {}),
    }
  } finally {
    await encoder.close()
  }
}

/** Least time that a rate is taken from: two pictures of a large model take longer, many of a small one less. */
const leastMs = 250

/** On a CPU two pictures at once are as fast as a whole batch. */
const cpuBatch = 2

/** Of all sessions together. The first pictures do not count: they also fetch the weights from the disk. */
const picturesPerSecond = async (encoder: Encoder): Promise<number> => {
  const { size } = encoder.model.image
  const inEachSession = (count: number) => {
    const pixels = new Uint8Array(count * size ** 2 * 3)
    return Promise.all(Array.from({ length: encoder.batchesAtOnce / inFlight }, () => encoder.encodePictures(pixels)))
  }
  await inEachSession(1)
  const { batchSize, placements } = encoder
  const atOnce = placements.pictures?.device === 'cpu' ? Math.min(cpuBatch, batchSize) : batchSize
  const startedMs = performance.now()
  let count = 0
  while (performance.now() - startedMs < leastMs) count += (await inEachSession(atOnce)).flat().length
  return (1000 * count) / (performance.now() - startedMs)
}

const millisecondsOf = async (work: Promise<unknown>): Promise<number> => {
  const startedMs = performance.now()
  await work
  return performance.now() - startedMs
}

const placementLine = ({ device, file, isPrepared, operators, passedOver }: Placement): string =>
  [
    `on ${device}, from ${basename(file)}${isPrepared ? ', prepared for this machine' : ''}`,
    ...(operators ? [Object.entries(operators).map(([on, count]) => `${count} operators on ${on}`)] : []),
    ...passedOver.map((other) => `not on ${other.device}: ${other.reason}`),
  ].join('; ')

const sessionsLine = (threads: readonly number[]): string =>
  `${threads.length} side by side, ${[...new Set(threads)].join(' or ')} ${threads[0] === 1 ? 'thread' : 'threads'} each`

const tryStore = async ({ store: location, collection, apiKey }: Settings) => {
  try {
    const store = await openStore(location, { collection, apiKey })
    try {
      return { model: store.collection.model, ...(await store.describe()) }
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof CollectionMissingError) return { collection: `${collection} does not exist yet` }
    throw error
  }
}
