import { join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { UsageError } from './errors.ts'

/** Name of the collection where none is given. */
export const defaultCollection = 'vidgrep'

/** Where data and cache lie: `VIDGREP_HOME`, else the system's own places (XDG on Linux). */
export const folders = (environment = process.env): { readonly data: string; readonly cache: string } => {
  const home = environment.VIDGREP_HOME
  if (home) return { data: resolve(home, 'data'), cache: resolve(home, 'cache') }
  const { data, cache } = envPaths('vidgrep', { suffix: '' })
  return { data, cache }
}

export type Settings = {
  /** Folder of an embedded store, or the address of a Qdrant server. */
  readonly store: string
  readonly collection: string
  /** Name or folder of a model; `undefined`: the collection's own, else the default. */
  readonly model: string | undefined
  readonly apiKey: string | undefined
  /** What the models compute on. */
  readonly device: DeviceChoice
}

/**
 * What is in force: what the caller gave, then the environment, then the default.
 *
 * @throws UsageError if there is no such device
 */
export const settingsFrom = (
  given: {
    readonly store?: string
    readonly collection?: string
    readonly model?: string
    readonly apiKey?: string
    readonly device?: string
  },
  environment = process.env,
): Settings => {
  const store =
    given.store || environment.VIDGREP_STORE || environment.QDRANT_URL || join(folders(environment).data, 'store')
  return {
    store: isServer(store) ? store : resolve(store),
    collection: given.collection || environment.VIDGREP_COLLECTION || defaultCollection,
    model: given.model || environment.VIDGREP_MODEL || undefined,
    apiKey: given.apiKey || environment.QDRANT_API_KEY || undefined,
    device: deviceChoice(given.device || environment.VIDGREP_DEVICE || 'auto'),
  }
}

export const isServer = (store: string): boolean => /^https?:\/\//i.test(store)

/** What ONNX Runtime can compute on. */
export const devices = ['cpu', 'cuda', 'webgpu', 'coreml', 'dml'] as const

export type Device = (typeof devices)[number]

/** `auto`: the best one that works. */
export type DeviceChoice = Device | 'auto'

export const deviceChoices: readonly DeviceChoice[] = ['auto', ...devices]

/** @throws UsageError if there is no such device */
export const deviceChoice = (name: string): DeviceChoice => {
  const found = deviceChoices.find((choice) => choice === name)
  if (found) return found
  throw new UsageError(`Expected one of the devices ${deviceChoices.join(', ')}, got "${name}"`, {
    remedy: 'Leave out --device and VIDGREP_DEVICE to use the best one that works',
  })
}
