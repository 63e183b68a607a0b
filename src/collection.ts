import type { Encoder, OpenEncoder } from './encoder/encoder.ts'
import { UsageError } from './errors.ts'
import { defaultModelName } from './models/disk.ts'
import { modelName } from './models/list.ts'
import { loadModel } from './models/load.ts'
import type { Model } from './models/model.ts'
import { expectMixable, parseModelId } from './models/precision.ts'
import { type Precision, type Settings, type SettingsOptions, settingsFrom } from './settings.ts'
import { openStore } from './store/openStore.ts'
import type { MigrationStep } from './store/schema.ts'
import { CollectionMissingError, expectBelonging, type OpenStore, type Store } from './store/store.ts'

export type OpenIndexOptions = SettingsOptions & {
  /** Called with the name of a model of the hub that is not here yet: fetching it may take minutes. */
  readonly onFetch?: (name: string) => void
  /** Called with what a user may want to know: that a model is being prepared for this machine, which takes seconds. */
  readonly onNotice?: (notice: string) => void
  /** Threads of the encoder. Default: one per core. */
  readonly threads?: number
  /** Patches per batch. Default: the model's own, mostly 4, on a CPU; 16 on a GPU. */
  readonly batchSize?: number
}

/** A collection with its model. Nothing of a video is loaded for it: a search needs no more than this. */
export type OpenCollection = {
  readonly settings: Settings
  readonly model: Model
  /** `undefined` until there is a collection. */
  readonly store: Store | undefined
  /** @throws CollectionMissingError if nothing was ever indexed */
  existing(): Store
  /**
   * Makes the collection if it is missing and brings its schema up to date. Searches under way keep theirs.
   *
   * @returns the steps that brought it up to date
   */
  openForWriting(signal?: AbortSignal): Promise<readonly MigrationStep[]>
  /** One for all calls, started by the first one. */
  encoder(): Promise<Encoder>
  close(): Promise<void>
}

/**
 * Opens a collection and finds its model; both are loaded when they are used.
 *
 * @throws UsageError for a model that does not exist
 * @throws ModelMismatchError if the collection belongs to another model than the one asked for
 */
export const openCollection = async (options: OpenIndexOptions = {}): Promise<OpenCollection> => {
  checkCount('threads', options.threads)
  checkCount('batch', options.batchSize)
  const settings = settingsFrom(options)
  const { device, collection, apiKey } = settings
  const opened: Store[] = []
  let store: Store | undefined
  let missing: CollectionMissingError | undefined
  let isForWriting = false
  let encoder: Promise<Encoder> | undefined
  const open = async (how: Partial<OpenStore>): Promise<void> => {
    store = await openStore(settings.store, { collection, apiKey, ...how })
    opened.push(store)
  }
  const close = async (): Promise<void> => {
    try {
      await (await encoder)?.close()
    } finally {
      for (const each of opened) await each.close()
    }
  }
  try {
    await open({})
  } catch (error) {
    if (!(error instanceof CollectionMissingError)) throw error
    missing = error
  }
  const model = await modelFor(settings, store, options.onFetch).catch(async (error) => {
    await close()
    throw error
  })

  return {
    settings,
    model,
    get store() {
      return store
    },
    existing: () => {
      if (!store) throw missing
      return store
    },
    openForWriting: async (signal) => {
      const migrations: MigrationStep[] = []
      const create = { model: model.id, dimension: model.dimension }
      if (!isForWriting) await open({ create, onMigrated: (step) => migrations.push(step), signal })
      isForWriting = true
      return migrations
    },
    encoder: () => {
      const { threads, batchSize, onNotice } = options
      encoder ??= startEncoder(model, { device, threads, batchSize, onNotice })
      return encoder
    },
    close,
  }
}

/** What makes no embeddings need not load it. */
const startEncoder = async (model: Model, options: OpenEncoder): Promise<Encoder> => {
  const { openEncoder } = await import('./encoder/encoder.ts')
  return openEncoder(model, options)
}

/** The model asked for by name, which must be the collection's if there is one, or the collection's, or the default. */
const modelFor = async (
  { model: name, precision }: Settings,
  store: Store | undefined,
  onFetch: OpenIndexOptions['onFetch'],
): Promise<Model> => {
  if (!store) return loadModel(name ?? defaultModelName, { precision, onFetch })
  const { collection } = store
  const load = (precision?: Precision): Promise<Model> => loadModel(named, { precision, onFetch })
  const named = name ?? (await modelOf(store))
  const full = await load()
  const held = parseModelId(collection.model)
  expectBelonging({ ...collection, model: held.id }, { model: full.id, dimension: full.dimension })
  const own = held.precision === 'full' ? full : await load(held.precision)
  if (precision === undefined || precision === held.precision) return own
  const wanted = await load(precision)
  await expectMixable(collection.name, wanted, own)
  return { ...wanted, id: collection.model }
}

/** The name of the model that a collection was made with. */
const modelOf = async ({ collection }: Store): Promise<string> => {
  const name = await modelName(collection.model)
  if (name !== undefined) return name
  throw new UsageError(`Collection "${collection.name}" was made with ${collection.model}, which has no name here`, {
    remedy: 'Name its folder: --model ./folder',
  })
}

/** More is a slip of the finger, and would take all memory. */
const most = { jobs: 64, threads: 256, batch: 1024 }

/** @throws UsageError if a count is no whole number from 1 to the most that makes sense */
export const checkCount = (name: keyof typeof most, value: number | undefined): void => {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= most[name])) return
  throw new UsageError(`Expected ${name} to be a whole number from 1 to ${most[name]}, got ${value}`, {
    remedy: 'Leave it out: the default fits the machine',
  })
}
