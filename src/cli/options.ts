import type { ArgumentsCamelCase, Argv, InferredOptionTypes, Options } from 'yargs'
import {
  deviceChoices,
  type Index,
  type OpenIndexOptions,
  openIndex,
  openVideos,
  precisions,
  type Videos,
} from '../index.ts'
import { type Context, type ExitCode, warn } from './run.ts'

export type Command = {
  /** Names of its options without dashes. */
  readonly optionNames: readonly string[]
  /** Adds the command to the parser. When it is called and has ended, `onExit` gets its exit code. */
  add(yargs: Argv, context: Context, onExit: (code: ExitCode) => void): void
}

export type NamedOptions = Readonly<Record<string, Options>>

type CommandDescription<O extends NamedOptions, Arguments> = {
  /** As yargs writes it, with the positionals: `frame <video> <time>`. */
  readonly command: string | readonly string[]
  readonly describe: string
  readonly options: O
  /** Adds the positionals and the examples. */
  readonly builder: (yargs: Argv<InferredOptionTypes<O>>) => Argv<Arguments>
  readonly run: (args: ArgumentsCamelCase<Arguments>, context: Context) => Promise<ExitCode>
}

/** A command whose arguments have the types of its options and positionals. */
export const defineCommand = <const O extends NamedOptions, Arguments>({
  command,
  describe,
  options,
  builder,
  run,
}: CommandDescription<O, Arguments>): Command => ({
  optionNames: Object.keys(options),
  add: (yargs, context, onExit) =>
    yargs.command(
      command,
      describe,
      (yargs) => builder(yargs.options(isHelpAsked() ? options : undescribed(options))),
      async (args) => onExit(await run(args, context)),
    ),
})

const isHelpAsked = (): boolean => process.argv.includes('--help')

/**
 * yargs writes the help of each command that runs, asked or not, and holds it up for as long as Node takes to start:
 * there is nothing to write of options without a description.
 */
const undescribed = <O extends NamedOptions>(options: O): O =>
  Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, { ...option, describe: undefined, hidden: true }]),
  ) as unknown as O

/** Where to store and search. */
export const storeOptions = {
  store: {
    type: 'string',
    requiresArg: true,
    describe: 'Folder of the embedded store, or address of a Qdrant server',
    defaultDescription: 'VIDGREP_STORE, QDRANT_URL or the data folder',
  },
  collection: {
    type: 'string',
    requiresArg: true,
    describe: 'Collection: what is searched together',
    defaultDescription: 'VIDGREP_COLLECTION or vidgrep',
  },
} as const satisfies NamedOptions

export const modelOption = {
  model: {
    type: 'string',
    requiresArg: true,
    describe: 'Name of a model, hf:ORG/NAME on the Hugging Face hub, or a folder with a model.json',
    defaultDescription: "VIDGREP_MODEL, the collection's own or starter",
  },
} as const satisfies NamedOptions

export const deviceOption = {
  device: {
    choices: deviceChoices,
    requiresArg: true,
    describe: 'Device that runs the model; one that you name is never replaced by another',
    defaultDescription: 'VIDGREP_DEVICE or auto, the best that works',
  },
} as const satisfies NamedOptions

export const precisionOption = {
  precision: {
    choices: precisions,
    requiresArg: true,
    describe: 'Precision of the image tower; a lesser one is faster, where the model has a file for it',
    defaultDescription: "the collection's own or full",
  },
} as const satisfies NamedOptions

export const jsonOption = {
  json: { type: 'boolean', default: false, describe: 'Print JSON' },
} as const satisfies NamedOptions

/** Of a command that asks a collection something. */
export const openingOptions = {
  ...storeOptions,
  ...modelOption,
  ...deviceOption,
  ...jsonOption,
} as const satisfies NamedOptions

/** Of a command that decodes and encodes videos: how fast, and how much it says. */
export const runningOptions = {
  ...storeOptions,
  ...modelOption,
  ...deviceOption,
  ...precisionOption,
  jobs: {
    type: 'number',
    requiresArg: true,
    describe: 'Videos to decode at once',
    defaultDescription: 'one per core, at most 4',
  },
  threads: {
    type: 'number',
    requiresArg: true,
    describe: 'Threads of the encoder',
    defaultDescription: 'one per core',
  },
  batch: {
    type: 'number',
    requiresArg: true,
    describe: 'Patches to encode at once',
    defaultDescription: "the model's own, mostly 4; 16 on a GPU",
  },
  quiet: { alias: 'q', type: 'boolean', default: false, describe: 'Print problems only' },
  ...jsonOption,
} as const satisfies NamedOptions

type OpenArguments = Pick<OpenIndexOptions, 'store' | 'collection' | 'model' | 'device' | 'precision' | 'threads'> & {
  readonly batch?: number
}

/** What the arguments say about opening a collection. */
export const openOptions = ({
  store,
  collection,
  model,
  device,
  precision,
  threads,
  batch,
}: OpenArguments): OpenIndexOptions => ({
  store,
  collection,
  model,
  device,
  precision,
  threads,
  batchSize: batch,
})

/** Opens a collection for as long as `use` runs. */
export const withIndex = async <T>(args: OpenArguments, use: (index: Index) => Promise<T>): Promise<T> => {
  const onFetch = (name: string): void => warn(`Fetching ${name}, once; afterwards it works offline …`)
  return useAndClose(await openIndex({ ...openOptions(args), onFetch, onNotice: warn }), use)
}

/** The same for its list of videos alone, which needs no model. */
export const withVideos = async <T>(args: OpenArguments, use: (videos: Videos) => Promise<T>): Promise<T> =>
  useAndClose(await openVideos(openOptions(args)), use)

const useAndClose = async <R extends { close(): Promise<void> }, T>(
  opened: R,
  use: (opened: R) => Promise<T>,
): Promise<T> => {
  try {
    return await use(opened)
  } finally {
    await opened.close()
  }
}
