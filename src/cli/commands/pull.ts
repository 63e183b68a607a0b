import type { ArgumentsCamelCase, InferredOptionTypes } from 'yargs'
import {
  type HashSource,
  lesserPrecisions,
  type ManifestEntry,
  models,
  type PlanOptions,
  type Pulled,
  type PulledFile,
  type PullPlan,
  UsageError,
} from '../../index.ts'
import { defineCommand, jsonOption, type NamedOptions } from '../options.ts'
import { formatBytes, openPullProgress } from '../progress.ts'
import { type Context, type ExitCode, exitCodes, print, printJson, warn } from '../run.ts'

const options = {
  mirror: {
    type: 'string',
    requiresArg: true,
    describe: 'Address to fetch from in place of https://huggingface.co',
    defaultDescription: 'HF_ENDPOINT',
  },
  trust: {
    type: 'boolean',
    default: false,
    describe: 'Accept files whose hash is unknown or different, and remember the hash',
  },
  'accept-licence': { type: 'boolean', default: false, describe: 'Agree to a licence that allows research only' },
  precision: {
    choices: lesserPrecisions,
    requiresArg: true,
    describe: 'Also the image tower in a lesser precision, where there is one',
  },
  fp16: { type: 'boolean', default: false, describe: 'Also the half-precision image tower, for a GPU' },
  'fp16-text': { type: 'boolean', default: false, describe: 'The half-precision text tower: half the size' },
  'int8-text': { type: 'boolean', default: false, describe: 'The 8-bit text tower: a quarter of the size' },
  'dry-run': {
    type: 'boolean',
    default: false,
    describe: 'Only print what would be fetched: address, bytes, SHA-256, place',
  },
  all: { type: 'boolean', default: false, describe: 'With --dry-run: every known model' },
  ...jsonOption,
} as const satisfies NamedOptions

type Arguments = ArgumentsCamelCase<InferredOptionTypes<typeof options>> & { readonly name?: string }

export const pullCommand = defineCommand({
  command: 'pull [name]',
  describe: 'Fetch a model, once; afterwards it works offline',
  options,
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', describe: 'Name of a model, as in: vidgrep models list' })
      .example('$0 models pull clip-vit-b-32', 'the one to begin with')
      .example('$0 models pull siglip2-b-256 --int8-text', 'with the small text tower')
      .example('$0 models pull clip-rn50x4 --mirror https://hf-mirror.example', 'from a mirror')
      .example('$0 models pull --all --dry-run', 'the plan of every model'),
  run: (args, context) => (args.dryRun ? plan(args) : pull(args, context)),
})

/** What is pulled, one after the other: always the exact image tower, as a CPU needs it. */
const planOptions = ({ mirror, fp16, precision, fp16Text, int8Text }: Arguments): readonly PlanOptions[] => {
  if (fp16Text && int8Text) {
    throw new UsageError('Expected one text tower, got --fp16-text and --int8-text', {
      remedy: 'Leave one of them out',
    })
  }
  const exact = { mirror, text: int8Text ? 'int8' : fp16Text ? 'fp16' : 'fp32' } as const
  const images = (['fp32', fp16 && 'fp16', precision] as const).filter(
    (image) => image !== undefined && image !== false,
  )
  return images.map((image) => ({ ...exact, image }))
}

/** What was asked for and the model does not have. */
const lacking = ({ image, text }: ManifestEntry, { fp16, precision, fp16Text, int8Text, json }: Arguments): string[] =>
  [
    fp16 && !image.variants?.fp16 && '--fp16',
    precision && !image.variants?.[precision] && `--precision ${precision}`,
    fp16Text && !text.variants?.fp16 && '--fp16-text',
    int8Text && !text.variants?.int8 && '--int8-text',
  ].filter((option) => option && !json) as string[]

const planOf = async (entry: ManifestEntry, args: Arguments): Promise<PullPlan> => {
  const plans = await Promise.all(planOptions(args).map((options) => models.plan(entry, options)))
  const files = new Map(plans.flatMap((plan) => plan.files).map((file) => [file.path, file]))
  return { ...plans[0]!, files: [...files.values()] }
}

const pull = async (args: Arguments, { signal }: Context): Promise<ExitCode> => {
  const entry = await entryNamed(args)
  const { name, folder, files } = await planOf(entry, args)
  if (!args.json) warn(`${name}: ${formatBytes(bytesOf(files))}, licence: ${licenceOf(entry)}`)
  for (const option of lacking(entry, args)) warn(`${name} does not come with ${option}: the exact one is used.`)
  const { trust, acceptLicence } = args
  const fetched: PulledFile[] = []
  for (const options of planOptions(args)) {
    const totalBytes = bytesOf((await models.plan(entry, options)).files)
    const progress = openPullProgress({ quiet: args.json, totalBytes })
    const all = { ...options, trust, acceptLicence, signal, onProgress: progress.show }
    fetched.push(...(await models.pull(entry, all).finally(() => progress.end())).files)
  }
  const pulled = { name, folder, files: fetched }
  if (args.json) printJson({ ...pulled, licence: entry.licence, licenceUrl: entry.licenceUrl ?? null })
  else printPulled(pulled)
  const { precision } = args.precision && entry.image.variants?.[args.precision] ? args : {}
  await models.prepare(name, { precision, signal, onNotice: args.json ? undefined : warn })
  return exitCodes.done
}

const entryNamed = ({ name, all }: Arguments): Promise<ManifestEntry> => {
  if (name !== undefined && !all) return models.find(name)
  const got = all ? '--all without --dry-run' : 'none'
  throw new UsageError(`Expected the name of one model to pull, got ${got}`, {
    remedy: 'Name one, such as: vidgrep models pull clip-vit-b-32',
  })
}

/** What each file's hash was compared with. */
const checks: Readonly<Record<HashSource, string>> = {
  manifest: 'as the manifest says',
  hub: 'as the hub says; the manifest has another, or none',
  none: 'accepted unchecked',
}

const printPulled = ({ name, folder, files }: Pulled): void => {
  if (files.length === 0) {
    print(`${name} is there already: ${folder}`)
    return
  }
  print(`${name} is in ${folder} (${files.length} files fetched).`)
  for (const { path, sha256, checkedBy } of files) print(`  ${path}  ${sha256}  ${checks[checkedBy]}`)
  print(`Use it: vidgrep index FOLDER --model ${name} --collection ${name}`)
}

/** Touches neither network nor disk. */
const plan = async (args: Arguments): Promise<ExitCode> => {
  const entries = args.all ? await models.pullable() : [await entryNamed(args)]
  const plans = await Promise.all(entries.map(async (entry) => ({ entry, plan: await planOf(entry, args) })))
  if (args.json) printJson(plans.map(({ entry, plan }) => ({ ...plan, licence: entry.licence })))
  else for (const { entry, plan } of plans) printPlan(entry, plan)
  return exitCodes.done
}

const printPlan = (entry: ManifestEntry, { name, files }: PullPlan): void => {
  print(`${name}: ${formatBytes(bytesOf(files))}, licence: ${licenceOf(entry)}`)
  for (const { url, bytes, aboutBytes, sha256, target } of files) {
    print(`  ${url}`)
    print(`    bytes   ${bytes ?? `unknown${aboutBytes ? `, about ${formatBytes(aboutBytes)}` : ''}`}`)
    print(`    sha256  ${sha256 ?? 'unknown: needs --trust'}`)
    print(`    target  ${target}`)
  }
}

const licenceOf = ({ licence, licenceUrl }: ManifestEntry): string =>
  licenceUrl === undefined ? licence : `${licence} (${licenceUrl})`

const bytesOf = (files: readonly { readonly bytes: number | null; readonly aboutBytes?: number }[]) =>
  files.reduce((sum, { bytes, aboutBytes }) => sum + (bytes ?? aboutBytes ?? 0), 0)
