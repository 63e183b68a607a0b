import type { DeviceChoice } from './encoder/device.ts'
import { openTunedEncoder } from './encoder/tuned.ts'
import type { IngestEvent, IngestTotals } from './ingest/events.ts'
import { refill } from './ingest/refill.ts'
import { loadModel } from './models/load.ts'
import type { Model } from './models/model.ts'
import { type Settings, settingsFrom } from './settings.ts'
import { openStore } from './store/open.ts'
import { replaceCollection } from './store/replace.ts'
import type { Store } from './store/store.ts'

export type ReindexOptions = {
  /** Name or folder of the model that takes over. */
  readonly model: string
  /** Folder of an embedded store or address of a Qdrant server. Default: `VIDGREP_STORE`, `QDRANT_URL`, the data folder. */
  readonly store?: string
  /** Default: `VIDGREP_COLLECTION`, else `vidgrep`. */
  readonly collection?: string
  /** Key of the Qdrant server. Default: `QDRANT_API_KEY`. */
  readonly apiKey?: string
  /** What the model computes on; named, no other is ever taken. Default: `VIDGREP_DEVICE`, else the best that works. */
  readonly device?: DeviceChoice
  /** Threads of the encoder. Default: one a core. */
  readonly threads?: number
  /** Patches a batch. Default: 4; on a GPU what was measured to be fastest. */
  readonly batchSize?: number
  /** Videos decoded at once. Default: one a core, at most 4. */
  readonly jobs?: number
  /** Switch even if videos are worse off afterwards. */
  readonly force?: boolean
  readonly signal?: AbortSignal
}

export type Reindexed = {
  readonly collection: string
  /** Ids of the models. */
  readonly before: string
  readonly model: string
  /** Whether the new model is in force. */
  readonly switched: boolean
  /** Files that are not there any more. */
  readonly vanished: readonly string[]
  /** Videos that are gone, failed, or no longer complete in the new collection: why it was not switched. */
  readonly worse: readonly string[]
  readonly totals: IngestTotals | undefined
}

/**
 * Fills a new collection beside an old one with the embeddings of another model, from the videos' own files and with the
 * settings of each, and puts it in the old one's place when it is complete. Broken off at any point, it goes on with the
 * next call, and the old collection is in force until then; it goes only after the switch.
 *
 * @returns after handing out the events
 * @throws CollectionMissingError, UsageError for a model that does not exist, ModelError if it is not on disk
 */
export async function* reindex(options: ReindexOptions): AsyncGenerator<IngestEvent, Reindexed> {
  const settings = settingsFrom(options)
  const model = await loadModel(options.model)
  const { store, collection, apiKey } = settings
  const from = await openStore(store, { collection, apiKey, signal: options.signal })
  try {
    const { model: before } = from.collection
    if (before === model.id) return await alreadyThere(settings, model.id)
    const by = draftName(collection, model.id)
    const filled = yield* fill(from, by, model, settings, options)
    const switched = filled.worse.length === 0 || (options.force ?? false)
    await from.close()
    if (switched) await replaceCollection(store, { ...placeOf(settings, by), signal: options.signal })
    return { collection, before, model: model.id, switched, ...filled }
  } finally {
    await from.close()
  }
}

/** The name of the collection that is filled: it stays its own after the switch. */
export const draftName = (collection: string, modelId: string): string =>
  `${collection}--${modelId.replaceAll(/[^A-Za-z0-9_-]/g, '-')}`.slice(0, 200)

async function* fill(
  from: Store,
  by: string,
  model: Model,
  { store, apiKey, device }: Settings,
  { threads, batchSize, jobs, signal }: ReindexOptions,
) {
  const create = { model: model.id, dimension: model.dimension }
  const into = await openStore(store, { collection: by, create, apiKey, signal })
  try {
    const encoder = await openTunedEncoder(model, { device, threads, batchSize })
    try {
      return yield* refill({ from, into, encoder, jobs, signal })
    } finally {
      await encoder.close()
    }
  } finally {
    await into.close()
  }
}

/** A switch that was broken off may have left the old collection's points. */
const alreadyThere = async (settings: Settings, model: string): Promise<Reindexed> => {
  const { collection } = settings
  await replaceCollection(settings.store, placeOf(settings, collection))
  return { collection, before: model, model, switched: true, vanished: [], worse: [], totals: undefined }
}

const placeOf = ({ collection, apiKey }: Settings, by: string) => ({ name: collection, by, apiKey })
