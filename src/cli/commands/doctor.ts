import { availableParallelism, cpus, totalmem } from 'node:os'
import { basename } from 'node:path'
import type { Argv, CommandModule } from 'yargs'
import { type Placement, sideBySide } from '../../encoder/device.ts'
import { openEncoder } from '../../encoder/encoder.ts'
import { VidgrepError } from '../../errors.ts'
import { defaultModelName } from '../../models/disk.ts'
import { modelName } from '../../models/list.ts'
import { loadModel } from '../../models/load.ts'
import { type DeviceChoice, folders, settingsFrom } from '../../settings.ts'
import { openStore } from '../../store/openStore.ts'
import { CollectionMissingError } from '../../store/store.ts'
import { ffmpegVersions } from '../../video/ffmpeg.ts'
import { deviceOption, jsonOption, modelOption, openOptions, type StoreArguments, storeOptions } from '../options.ts'
import { exitCodes, print, printJson, run } from '../run.ts'

type Arguments = StoreArguments & { readonly json: boolean }

type Check = {
  readonly name: string
  readonly ok: boolean
  readonly details: Readonly<Record<string, unknown>>
}

export const doctorCommand: CommandModule<unknown, Arguments> = {
  command: 'doctor',
  describe: 'Show the settings in force and check each part',
  builder: (yargs) => modelOption(deviceOption(storeOptions(jsonOption(yargs)))) as unknown as Argv<Arguments>,
  handler: (args) =>
    run(args.json, async () => {
      const checks = await examine(args)
      if (args.json) printJson(checks)
      else for (const check of checks) tell(check)
      return checks.every(({ ok }) => ok) ? exitCodes.done : exitCodes.error
    }),
}

const examine = async (args: Arguments): Promise<readonly Check[]> => {
  const settings = settingsFrom(openOptions(args))
  const { store: location, collection, apiKey } = settings
  const stored = await check('store', async () => tryStore(location, collection, apiKey))
  const name = settings.model ?? (await modelName(String(stored.details.model))) ?? defaultModelName
  return [
    await check('machine', async () => ({
      node: process.version,
      system: `${process.platform} ${process.arch}`,
      cores: availableParallelism(),
      processor: cpus()[0]?.model ?? 'unknown',
      memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    })),
    await check('settings', async () => ({
      ...folders(),
      store: location,
      collection,
      model: name,
      device: settings.device,
    })),
    await check('ffmpeg', async () => {
      const versions = await ffmpegVersions()
      return Object.fromEntries(
        Object.entries(versions).map(([name, found]) => [name, `${found.version} (${found.source}: ${found.path})`]),
      )
    }),
    await check('model', async () => tryModel(name, settings.device)),
    stored,
  ]
}

/** A text and some pictures through the model. */
const tryModel = async (name: string, choice: DeviceChoice) => {
  const model = await loadModel(name)
  const pictures = (count: number) => new Uint8Array(count * model.image.size ** 2 * 3)
  const encoder = await openEncoder(model, { device: choice })
  try {
    const startedMs = performance.now()
    await encoder.encodeTexts(['a red car'])
    const textMs = performance.now() - startedMs
    await encoder.encodePictures(pictures(1))
    const count = encoder.batchSize * encoder.batchesAtOnce
    const measuredMs = performance.now()
    await encoder.encodePictures(pictures(count))
    const picturesPerSecond = (1000 * count) / (performance.now() - measuredMs)
    const { id, dimension, threshold } = model
    const { placements, batchSize } = encoder
    return {
      id,
      dimension,
      threshold,
      'first text': `${Math.round(textMs)} ms`,
      pictures: placements.pictures && placementLine(placements.pictures),
      texts: placements.texts && placementLine(placements.texts),
      speed: `${Math.round(picturesPerSecond)} pictures/s, ${batchSize} a batch`,
      ...(placements.pictures?.device === 'cpu' ? { sessions: sessionsLine(await sideBySide(model)) } : {}),
    }
  } finally {
    await encoder.close()
  }
}

const placementLine = ({ device, file, operators, passedOver }: Placement): string =>
  [
    `on ${device}, from ${basename(file)}`,
    ...(operators ? [Object.entries(operators).map(([on, count]) => `${count} operators on ${on}`)] : []),
    ...passedOver.map((other) => `not on ${other.device}: ${other.reason}`),
  ].join('; ')

const sessionsLine = (threads: readonly number[]): string =>
  `${threads.length} side by side, ${[...new Set(threads)].join(' or ')} ${threads[0] === 1 ? 'thread' : 'threads'} each`

const tryStore = async (location: string, collection: string, apiKey: string | undefined) => {
  try {
    const store = await openStore(location, { collection, apiKey })
    try {
      return { model: store.collection.model, ...(await store.describe()) }
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof CollectionMissingError) return { collection: `${collection} is not there yet` }
    throw error
  }
}

const check = async (name: string, examineIt: () => Promise<Record<string, unknown>>): Promise<Check> => {
  try {
    return { name, ok: true, details: await examineIt() }
  } catch (error) {
    if (!(error instanceof VidgrepError)) throw error
    return { name, ok: false, details: { problem: error.message, remedy: error.remedy } }
  }
}

const tell = ({ name, ok, details }: Check): void => {
  print(`${ok ? 'ok ' : 'BAD'}  ${name}`)
  for (const [key, value] of Object.entries(details)) print(`     ${key.padEnd(14)} ${String(value)}`)
}
