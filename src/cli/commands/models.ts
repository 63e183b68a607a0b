import { existsSync } from 'node:fs'
import {
  type CheckedFile,
  type Leftover,
  type ListedModel,
  lesserPrecisions,
  type ModelCheck,
  models,
  type Precision,
  type PrecisionCheck,
} from '../../index.ts'
import { type Command, defineCommand, deviceOption, jsonOption, storeOptions } from '../options.ts'
import { formatBytes } from '../progress.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'
import { pullCommand } from './pull.ts'

/** Without a word after it, `models` lists. */
const listCommand = defineCommand({
  command: ['list', '$0'],
  describe: 'List the models: what they are good for, how large, on disk or not',
  options: jsonOption,
  builder: (yargs) => yargs.example('$0 models list', 'for people').example('$0 models list --json', 'for programs'),
  run: async ({ json }) => {
    const [listed, leftovers] = [await models.list(), await models.leftovers()]
    if (json) printJson([...listed.map(modelToJson), ...leftovers.map((each) => ({ ...each, leftover: true }))])
    else printModels(listed, leftovers)
    return exitCodes.done
  },
})

const modelToJson = (model: ListedModel) => ({
  name: model.name,
  id: model.id,
  description: model.description,
  goodFor: model.goodFor ?? null,
  languages: model.languages ?? null,
  dimension: model.dimension,
  threshold: model.threshold ?? null,
  licence: model.licence,
  licenceUrl: model.licenceUrl ?? null,
  researchOnly: model.researchOnly ?? false,
  bytes: model.bytes,
  onDisk: model.onDisk,
  added: model.added,
  precisions: model.precisions,
  folder: model.folder,
})

const printModels = (listed: readonly ListedModel[], leftovers: readonly Leftover[]): void => {
  const nameWidth = Math.max(...listed.map(({ name }) => name.length))
  for (const model of listed) {
    const { name, dimension, bytes, languages = [], licence } = model
    const size = formatBytes(bytes).padStart(8)
    const facts = `${size}  ${String(dimension).padStart(4)} dimensions  ${languages.join(', ').padEnd(12)}  ${licence}`
    print(`${name.padEnd(nameWidth)}  ${stateOf(model).padEnd(11)}  ${facts}`)
    print(`${''.padEnd(nameWidth)}  ${model.goodFor ?? model.description}${precisionsIn(model)}`)
  }
  for (const { name, folder, bytes } of leftovers)
    print(
      `Unfinished or not a model: ${name}, ${formatBytes(bytes)} in ${folder}. To remove it: vidgrep models remove ${name}`,
    )
}

/** Nothing where there is only full precision. */
const precisionsIn = ({ precisions: { onDisk, toPull } }: ListedModel): string =>
  [
    onDisk.length > 1 ? `; precisions: ${onDisk.join(', ')}` : '',
    toPull.length > 0 ? `; can be pulled with --precision ${toPull.join(' or ')}` : '',
  ].join('')

const stateOf = ({ carried, added, onDisk }: ListedModel): string =>
  carried ? 'carried' : !onDisk ? 'not on disk' : added ? 'your own' : 'on disk'

const verifyCommand = defineCommand({
  command: 'verify [name]',
  describe: 'Check the files of a model, or of all on disk, by their SHA-256',
  options: jsonOption,
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', describe: 'Name of a model', defaultDescription: 'all on disk' })
      .example('$0 models verify', 'all of them; about a second per gigabyte'),
  run: async ({ name, json }, { signal }) => {
    const names = name === undefined ? await namesOnDisk() : [name]
    const checked: { name: string; files: readonly CheckedFile[] }[] = []
    for (const each of names) {
      const files = await models.verify(each, { signal })
      checked.push({ name: each, files })
      if (!json) printFiles(each, files)
    }
    if (json) printJson(checked.map(({ name, files }) => ({ name, files: files.map(fileToJson) })))
    return checked.every(({ files }) => files.every(({ right }) => right)) ? exitCodes.done : exitCodes.error
  },
})

/** By the folder alone: a model of which a file is cut off or gone is just what has to be found. */
const namesOnDisk = async (): Promise<string[]> =>
  (await models.list()).filter(({ folder }) => existsSync(folder)).map(({ name }) => name)

const fileToJson = (file: CheckedFile) => ({ ...file, found: file.found ?? null })

const printFiles = (name: string, files: readonly CheckedFile[]): void => {
  for (const { path, expected, found, right, source } of files) {
    const doubt = expected === null ? '  (its hash is not known)' : source === 'none' ? '  (as it first came)' : ''
    print(`${right ? 'ok ' : 'BAD'}  ${path}${right ? doubt : ''}`)
    if (right) continue
    print(`     expected  ${expected ?? 'any file'}`)
    print(`     got       ${found ?? 'no file'}`)
  }
  if (files.some(({ right }) => !right))
    print(`     to repair: vidgrep models remove ${name}, then pull or add it again`)
}

const removeCommand = defineCommand({
  command: 'remove <name>',
  describe: 'Remove a pulled or added model from the disk; collections stay',
  options: jsonOption,
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'Name of a model' })
      .example('$0 models remove clip-rn50x4', 'it can be pulled again'),
  run: async ({ name, json }) => {
    const removed = await models.remove(name)
    if (json) printJson({ name, removed })
    else print(removed ? `removed  ${name}` : `${name} was not on disk`)
    return exitCodes.done
  },
})

const pathCommand = defineCommand({
  command: 'path <name>',
  describe: 'Print the folder where a model is, or would be once it is pulled',
  options: jsonOption,
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'Name of a model' })
      .example('du -sh "$($0 models path clip-vit-b-32)"', 'how large it is'),
  run: async ({ name, json }) => {
    const path = await models.path(name)
    if (json) printJson({ name, path })
    else print(path)
    return exitCodes.done
  },
})

const addCommand = defineCommand({
  command: 'add <path>',
  describe: 'Copy a model of your own to where it is found by its name, or add a precision to one',
  options: {
    to: { type: 'string', requiresArg: true, describe: 'Model that the ONNX file <path> is the image tower of' },
    precision: { choices: lesserPrecisions, requiresArg: true, describe: 'Precision of that file' },
    ...jsonOption,
  },
  builder: (yargs) =>
    yargs
      .positional('path', {
        type: 'string',
        demandOption: true,
        describe: 'Folder with a model.json or as on the hub, or with --to an ONNX file',
      })
      .implies('to', 'precision')
      .implies('precision', 'to')
      .example('$0 models add ./my-clip', 'then: --model NAME')
      .example('$0 models add vision-int8.onnx --to my-clip --precision fast', 'then: --precision fast'),
  run: async ({ path, to, precision, json }, { signal }) => {
    const onNotice = json ? undefined : warn
    if (to && precision) {
      await models.addPrecision(path, to, precision)
      await models.prepare(to, { precision, signal, onNotice })
      if (json) printJson({ name: to, precision })
      else print(`added  ${to} in the precision ${precision}. Measure it: vidgrep models check ${to}`)
      return exitCodes.done
    }
    const name = await models.add(path)
    await models.prepare(name, { signal, onNotice })
    if (json) printJson({ name })
    else print(`added  ${name}. Use it: vidgrep index FOLDER --model ${name}`)
    return exitCodes.done
  },
})

const checkCommand = defineCommand({
  command: 'check <name> [paths..]',
  describe: 'Measure on your own videos what a lesser precision of a model loses and gains',
  options: { ...storeOptions, ...deviceOption, ...jsonOption },
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'Name or folder of a model' })
      .positional('paths', {
        type: 'string',
        array: true,
        describe: 'Videos and folders to take frames from',
        defaultDescription: 'the videos of the collection',
      })
      .example('$0 models check clip-vit-b-32 ~/footage', 'whether --precision fast finds what full finds'),
  run: async ({ name, paths, store, collection, device, json }, { signal }) => {
    const onNotice = json ? undefined : warn
    const checked = await models.check(name, { paths, store, collection, device, onNotice, signal })
    if (json) printJson(checked)
    else printCheck(checked)
    return exitCodes.done
  },
})

const printCheck = ({ model, videos, frames, patches, skipped, precisions, take }: ModelCheck): void => {
  print(`${model} on ${patches} patches of ${frames} frames of ${videos} ${videos === 1 ? 'video' : 'videos'}`)
  print('precision  cosine mean  least  centred mean  least  top 10  patches/s')
  for (const { precision, cosine, centredCosine, topTen, patchesASecond } of precisions)
    print(
      [
        precision.padEnd(9),
        cosine.mean.toFixed(4).padStart(11),
        cosine.least.toFixed(3).padStart(5),
        centredCosine.mean.toFixed(4).padStart(12),
        centredCosine.least.toFixed(3).padStart(5),
        `${Math.round(100 * topTen)} %`.padStart(6),
        patchesASecond.toFixed(1).padStart(9),
      ].join('  '),
    )
  for (const path of skipped) warn(`Nothing could be decoded of ${path}`)
  print(adviceOn(model, precisions, take))
}

const adviceOn = (model: string, precisions: readonly PrecisionCheck[], take: Precision): string => {
  if (precisions.length === 1) return `${model} has only full; docs/models.md says how to add another precision.`
  const [full, best] = [precisions[0]!, precisions.find(({ precision }) => precision === take)!]
  if (take === 'full') return 'Take full: no other one is faster and finds the same.'
  const gain = (best.patchesASecond / full.patchesASecond).toFixed(1)
  return `Take ${take}: it is ${gain} times as fast, and ${Math.round(100 * best.topTen)} % of the ten best stay. vidgrep index FOLDER --model ${model} --precision ${take}`
}

const subcommands = [listCommand, pullCommand, verifyCommand, removeCommand, pathCommand, addCommand, checkCommand]

export const modelsCommand: Command = {
  optionNames: subcommands.flatMap(({ optionNames }) => optionNames),
  add: (yargs, context, onExit) =>
    yargs.command('models', 'List the models, pull, check and remove them', (yargs) => {
      for (const subcommand of subcommands) subcommand.add(yargs, context, onExit)
      return yargs
        .recommendCommands()
        .strictCommands()
        .example('$0 models', 'what there is')
        .example('$0 models pull clip-vit-b-32', 'fetch one, once')
    }),
}
