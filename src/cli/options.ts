import type { Argv } from 'yargs'
import type { OpenIndexOptions } from '../index.ts'
import { type DeviceChoice, deviceChoices } from '../settings.ts'

export type StoreArguments = {
  readonly store?: string
  readonly collection?: string
  readonly model?: string
  readonly device?: DeviceChoice
}

/** Where to store and search, and with which model: the same for all commands. */
export const storeOptions = <T>(yargs: Argv<T>) =>
  yargs
    .option('store', {
      type: 'string',
      requiresArg: true,
      describe: 'Folder of the embedded store, or address of a Qdrant server',
      defaultDescription: 'VIDGREP_STORE, QDRANT_URL or the data folder',
    })
    .option('collection', {
      type: 'string',
      requiresArg: true,
      describe: 'What is searched together',
      defaultDescription: 'VIDGREP_COLLECTION or vidgrep',
    })

export const modelOption = <T>(yargs: Argv<T>) =>
  yargs.option('model', {
    type: 'string',
    requiresArg: true,
    describe: 'Name of a model, hf:ORG/NAME for one of the hub, or a folder with a model.json',
    defaultDescription: "VIDGREP_MODEL, the collection's own or starter",
  })

export const deviceOption = <T>(yargs: Argv<T>) =>
  yargs.option('device', {
    choices: deviceChoices,
    requiresArg: true,
    describe: 'What the model computes on; one that is named is never replaced by another',
    defaultDescription: 'VIDGREP_DEVICE or auto, the best that works',
  })

export type EncodingArguments = { readonly jobs?: number; readonly threads?: number; readonly batch?: number }

/** How fast videos are decoded and encoded. */
export const encodingOptions = <T>(yargs: Argv<T>) =>
  yargs
    .option('jobs', {
      type: 'number',
      requiresArg: true,
      describe: 'Videos decoded at once',
      defaultDescription: 'one a core, at most 4',
    })
    .option('threads', {
      type: 'number',
      requiresArg: true,
      describe: 'Threads of the encoder',
      defaultDescription: 'one a core',
    })
    .option('batch', {
      type: 'number',
      requiresArg: true,
      describe: 'Patches encoded at once',
      defaultDescription: "the model's own, mostly 4; 16 on a GPU",
    })

export const jsonOption = <T>(yargs: Argv<T>) =>
  yargs.option('json', { type: 'boolean', default: false, describe: 'Print JSON' })

/** What the arguments say of opening a collection; what they leave out stays out. */
export const openOptions = (args: StoreArguments & Omit<EncodingArguments, 'jobs'>): OpenIndexOptions => {
  const { store, collection, model, device, threads, batch } = args
  return {
    ...(store === undefined ? {} : { store }),
    ...(collection === undefined ? {} : { collection }),
    ...(model === undefined ? {} : { model }),
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
    ...(batch === undefined ? {} : { batchSize: batch }),
  }
}
