import type { Argv, CommandModule } from 'yargs'
import { UsageError } from '../../../errors.ts'
import { knownModels } from '../../../models/disk.ts'
import { findModel } from '../../../models/load.ts'
import type { ManifestEntry } from '../../../models/manifest.ts'
import type { Pulled } from '../../../models/pull/plan.ts'
import { type PlanOptions, type PullPlan, planPull } from '../../../models/pull/plan.ts'
import { jsonOption } from '../../options.ts'
import { type Context, type ExitCode, exitCodes, print, printJson, run, warn } from '../../run.ts'
import { formatBytes } from './bytes.ts'
import { openPullProgress } from './pullProgress.ts'

type Arguments = {
  readonly name?: string
  readonly mirror?: string
  readonly trust: boolean
  readonly acceptLicence: boolean
  readonly fp16: boolean
  readonly fp16Text: boolean
  readonly int8Text: boolean
  readonly all: boolean
  readonly dryRun: boolean
  readonly json: boolean
}

export const pullCommand: CommandModule<unknown, Arguments> = {
  command: 'pull [name]',
  describe: 'Fetch a model, once; afterwards it works offline',
  builder: (yargs) => pullOptions(yargs) as unknown as Argv<Arguments>,
  handler: (args) => run(args.json, (context) => (args.dryRun ? planned(args) : pull(args, context))),
}

const pullOptions = (yargs: Argv) =>
  jsonOption(yargs)
    .positional('name', { type: 'string', describe: 'Name of a model, as in: vidgrep models list' })
    .option('mirror', {
      type: 'string',
      requiresArg: true,
      describe: 'Address to fetch from in place of https://huggingface.co',
      defaultDescription: 'HF_ENDPOINT',
    })
    .option('trust', {
      type: 'boolean',
      default: false,
      describe: 'Take files whose hash is unknown or another one, and remember the hash',
    })
    .option('accept-licence', {
      type: 'boolean',
      default: false,
      describe: 'Agree to a licence that allows research only',
    })
    .option('fp16', { type: 'boolean', default: false, describe: 'The half-precision image tower too, for a GPU' })
    .option('fp16-text', { type: 'boolean', default: false, describe: 'The half-precision text tower: half the size' })
    .option('int8-text', {
      type: 'boolean',
      default: false,
      describe: 'The text tower in 8 bits: a quarter of the size',
    })
    .option('dry-run', {
      type: 'boolean',
      default: false,
      describe: 'Only print what would be fetched: address, bytes, SHA-256, place',
    })
    .option('all', { type: 'boolean', default: false, describe: 'With --dry-run: of every known model' })
    .example('$0 models pull clip-vit-b-32', 'the one to begin with')
    .example('$0 models pull siglip2-b-256 --int8-text', 'with the small text tower')
    .example('$0 models pull clip-rn50x4 --mirror https://hf-mirror.example', 'from a mirror')
    .example('$0 models pull --all --dry-run', 'the plan of every model')

/** What is pulled one after the other: the exact image tower is always there, as a CPU needs it. */
const planOptions = ({ mirror, fp16, fp16Text, int8Text }: Arguments): readonly PlanOptions[] => {
  if (fp16Text && int8Text) {
    throw new UsageError('Expected one text tower, got --fp16-text and --int8-text', {
      remedy: 'Leave one of them out',
    })
  }
  const exact = { mirror, text: int8Text ? 'int8' : fp16Text ? 'fp16' : 'fp32' } as const
  return fp16 ? [exact, { ...exact, image: 'fp16' }] : [exact]
}

/** What was asked for and the model has not. */
const lacking = ({ image, text }: ManifestEntry, { fp16, fp16Text, int8Text, json }: Arguments): string[] =>
  [
    fp16 && !image.variants?.fp16 && '--fp16',
    fp16Text && !text.variants?.fp16 && '--fp16-text',
    int8Text && !text.variants?.int8 && '--int8-text',
  ].filter((option) => option !== false && !json) as string[]

const planOf = (entry: ManifestEntry, args: Arguments): PullPlan => {
  const plans = planOptions(args).map((options) => planPull(entry, options))
  const files = new Map(plans.flatMap((plan) => plan.files).map((file) => [file.path, file]))
  return { ...plans[0]!, files: [...files.values()] }
}

const pull = async (args: Arguments, { signal }: Context): Promise<ExitCode> => {
  const entry = await entryNamed(args)
  const { name, folder, files } = planOf(entry, args)
  if (!args.json) warn(`${name}: ${formatBytes(bytesOf(files))}, licence: ${licenceOf(entry)}`)
  for (const option of lacking(entry, args)) warn(`${name} does not come with ${option}: the exact one is taken.`)
  const { pullModel } = await import('../../../models/pull/pull.ts')
  const { trust, acceptLicence } = args
  const fetched: string[] = []
  for (const options of planOptions(args)) {
    const totalBytes = bytesOf(planPull(entry, options).files)
    const progress = openPullProgress({ quiet: args.json, terminal: process.stderr.isTTY, totalBytes })
    const all = { ...options, trust, acceptLicence, signal, onProgress: progress.show }
    fetched.push(...(await pullModel(entry, all).finally(() => progress.end())).files)
  }
  const pulled = { name, folder, files: fetched }
  if (args.json) printJson({ ...pulled, licence: entry.licence, licenceUrl: entry.licenceUrl ?? null })
  else tell(pulled)
  return exitCodes.done
}

const entryNamed = ({ name, all }: Arguments): Promise<ManifestEntry> => {
  if (name !== undefined && !all) return findModel(name)
  const got = all ? '--all without --dry-run' : 'none'
  throw new UsageError(`Expected the name of one model to pull, got ${got}`, {
    remedy: 'Name one, such as: vidgrep models pull clip-vit-b-32',
  })
}

const tell = ({ name, folder, files }: Pulled): void => {
  if (files.length === 0) {
    print(`${name} is there already: ${folder}`)
    return
  }
  print(`${name} is in ${folder} (${files.length} files fetched and checked).`)
  print(`Use it: vidgrep index FOLDER --model ${name} --collection ${name}`)
}

/** Touches neither network nor disk. */
const planned = async (args: Arguments): Promise<ExitCode> => {
  const entries = args.all ? (await knownModels()).filter(({ source }) => source) : [await entryNamed(args)]
  const plans = entries.map((entry) => ({ entry, plan: planOf(entry, args) }))
  if (args.json) printJson(plans.map(({ entry, plan }) => ({ ...plan, licence: entry.licence })))
  else for (const { entry, plan } of plans) tellPlan(entry, plan)
  return exitCodes.done
}

const tellPlan = (entry: ManifestEntry, { name, files }: PullPlan): void => {
  print(`${name}: ${formatBytes(bytesOf(files))}, licence: ${licenceOf(entry)}`)
  for (const { url, bytes, aboutBytes, sha256, target } of files) {
    print(`  ${url}`)
    print(`    bytes   ${bytes ?? `unknown${aboutBytes ? `, about ${formatBytes(aboutBytes)}` : ''}`}`)
    print(`    sha256  ${sha256 ?? 'unknown: wants --trust'}`)
    print(`    target  ${target}`)
  }
}

const licenceOf = ({ licence, licenceUrl }: ManifestEntry): string =>
  licenceUrl === undefined ? licence : `${licence} (${licenceUrl})`

const bytesOf = (files: readonly { readonly bytes: number | null; readonly aboutBytes?: number }[]) =>
  files.reduce((sum, { bytes, aboutBytes }) => sum + (bytes ?? aboutBytes ?? 0), 0)
