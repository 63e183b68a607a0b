import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { UsageError } from './errors.ts'

/** Name of the collection where none is given. */
export const defaultCollection = 'vidgrep'

/** Where to store and search, and with which model. What is left out comes from the environment, else from the default. */
export type SettingsOptions = {
  /** Folder of an embedded store or address of a Qdrant server. Default: `VIDGREP_STORE`, `QDRANT_URL`, the data folder. */
  readonly store?: string
  /** Default: `VIDGREP_COLLECTION`, else `vidgrep`. */
  readonly collection?: string
  /** Name or folder of a model, or `hf:ORG/NAME[@REVISION]`. Default: `VIDGREP_MODEL`, else the collection's own, else the starter model. */
  readonly model?: string
  /** Key of the Qdrant server. Default: `QDRANT_API_KEY`. */
  readonly apiKey?: string
  /** What the model computes on; one that is named is never replaced by another. Default: `VIDGREP_DEVICE`, else the best that works. */
  readonly device?: DeviceChoice
  /** How exactly pictures are encoded, see {@link Precision}. Default: as the collection was, else `full`. */
  readonly precision?: Precision
}

export type Settings = {
  /** Absolute folder of an embedded store, or the address of a Qdrant server. */
  readonly store: string
  readonly collection: string
  /** Name or folder of a model; `undefined`: the collection's own, else the default. */
  readonly model?: string
  readonly apiKey?: string
  readonly device: DeviceChoice
  /** `undefined`: the collection's own, else `full`. */
  readonly precision?: Precision
}

/** @throws UsageError if there is no such device or precision, no place for the data, or the store is neither a folder nor a server */
export const settingsFrom = (options: SettingsOptions, environment = process.env): Settings => {
  const { VIDGREP_STORE, QDRANT_URL, VIDGREP_COLLECTION, VIDGREP_MODEL, QDRANT_API_KEY, VIDGREP_DEVICE } = environment
  const store = options.store || VIDGREP_STORE || QDRANT_URL || join(folders(environment).data, 'store')
  return {
    store: isServer(store) ? store : resolve(store),
    collection: options.collection || VIDGREP_COLLECTION || defaultCollection,
    model: options.model || VIDGREP_MODEL || undefined,
    apiKey: options.apiKey || QDRANT_API_KEY || undefined,
    device: deviceChoice(options.device || VIDGREP_DEVICE || 'auto'),
    precision: options.precision === undefined ? undefined : precisionNamed(options.precision),
  }
}

/** A scheme of two letters or more, as `C:` is a drive; or a host and a port. */
const looksLikeAddress = /^([a-z][a-z0-9+.-]+:\/|https?:|[\w.-]{2,}:\d+(\/|$)|\[[\da-f:.]+\](:\d+)?(\/|$))/i

/**
 * Whether a store is a server: an http(s) address. Anything else is a folder.
 * @throws UsageError for what looks like an address but is not one: it would become a folder of that name
 */
export const isServer = (store: string): boolean => {
  if (/^https?:\/\/[^/]/i.test(store) && URL.canParse(store)) return true
  if (!looksLikeAddress.test(store)) return false
  const host = store.replace(/^[a-z][a-z0-9+.-]+:\/+|^https?:/i, '') || 'localhost:6333'
  throw new UsageError(`Expected a folder or the address of a Qdrant server as the store, got "${store}"`, {
    remedy: `Write --store http://${host} for a server, --store ./FOLDER for a folder whose name has a colon`,
  })
}

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

/**
 * How exactly the image tower computes. `balanced` and `fast` are other files of it, smaller, faster and a little less
 * exact: weights of 8 bits in blocks, and all multiplications in 8 bits.
 */
export const precisions = ['full', 'balanced', 'fast'] as const

export type Precision = (typeof precisions)[number]

/** A precision that has a file of its own. */
export type LesserPrecision = Exclude<Precision, 'full'>

export const lesserPrecisions: readonly LesserPrecision[] = ['balanced', 'fast']

const precisionNamed = (name: string): Precision => {
  const found = precisions.find((precision) => precision === name)
  if (found) return found
  throw new UsageError(`Expected one of the precisions ${precisions.join(', ')}, got "${name}"`, {
    remedy: 'Leave out --precision for that of the collection, else full',
  })
}

/** Where data and cache are kept: `VIDGREP_HOME`, else the system's own places (XDG on Linux). */
export const folders = (environment = process.env): { readonly data: string; readonly cache: string } => {
  const { VIDGREP_HOME, LOCALAPPDATA, XDG_DATA_HOME, XDG_CACHE_HOME } = environment
  if (VIDGREP_HOME) return { data: resolve(VIDGREP_HOME, 'data'), cache: resolve(VIDGREP_HOME, 'cache') }
  if (process.platform === 'win32') {
    const local = join(LOCALAPPDATA || join(homeFolder(), 'AppData', 'Local'), 'vidgrep')
    return { data: join(local, 'Data'), cache: join(local, 'Cache') }
  }
  if (process.platform === 'darwin') {
    const library = join(homeFolder(), 'Library')
    return { data: join(library, 'Application Support', 'vidgrep'), cache: join(library, 'Caches', 'vidgrep') }
  }
  return { data: xdgFolder(XDG_DATA_HOME, '.local/share'), cache: xdgFolder(XDG_CACHE_HOME, '.cache') }
}

/** The specification has relative paths ignored: https://specifications.freedesktop.org/basedir-spec/latest/ */
const xdgFolder = (given: string | undefined, inHome: string): string =>
  join(given && isAbsolute(given) ? given : join(homeFolder(), inHome), 'vidgrep')

/** A user id that the system has no entry for, as in some containers, has no home folder. */
const homeFolder = (): string => {
  let cause: unknown
  try {
    const home = homedir()
    if (home) return home
  } catch (error) {
    cause = error
  }
  throw new UsageError('Expected a home folder for data and models, but this user has none', {
    remedy: 'Set HOME, or set VIDGREP_HOME to a folder for data and models',
    cause,
  })
}
