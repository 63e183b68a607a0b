import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Precision } from '../../settings.ts'
import { loadFolder } from '../description.ts'
import { hubFolderName, hubLayout, hubName, parseHubName, pulledFolder, writeJson } from '../disk.ts'
import type { ModelDescription, Pullable } from '../manifest.ts'
import { type Model, ModelError } from '../model.ts'
import { precisionsOf } from '../precision.ts'
import { pullModel } from '../pull/pull.ts'
import { askHub } from './repository.ts'

export type LoadOptions = {
  readonly signal?: AbortSignal
  /** @default 'full' */
  readonly precision?: Precision
  /** Told the name of a model of the hub that is not here yet: fetching it may take minutes. */
  readonly onFetch?: (name: string) => void
}

/**
 * A CLIP- or SigLIP-like model of any repository that has ONNX files. The first time it is fetched and described from its
 * own configuration; afterwards it is there, without the network and at the revision that was found, until another
 * revision is named.
 *
 * @param name `hf:ORG/NAME`, or `hf:ORG/NAME@REVISION` with a branch, tag or commit
 * @throws UsageError if there is no such repository
 * @throws ModelError if it is no such model, or cannot be fetched
 */
export const loadHubModel = async (
  name: string,
  { signal, onFetch, precision = 'full' }: LoadOptions = {},
): Promise<Model> => {
  const { repo, revision } = parseHubName(name)
  const asked = `${repo}@${revision ?? 'main'}`
  const pinned = isCommit(revision) ? revision : (await readPins())[asked]
  if (pinned && existsSync(join(folderOf(repo, pinned), 'model.json'))) {
    const model = await located(repo, pinned)
    if (precisionsOf(model).includes(precision)) return model
  }

  const { entry, commit, licence } = await askHub(repo, pinned ?? revision ?? 'main', signal)
  const id = hubName(repo, commit)
  onFetch?.(id)
  const folder = folderOf(repo, commit)
  const description = await describeFirst(folder, entry, { id, repo, licence }, signal)
  await pullModel(entry, { takeUnknown: true, signal })
  if (precision !== 'full') await pullModel(entry, { image: precision, takeUnknown: true, signal })
  const { withDimensionOfGraph } = await import('./describe.ts')
  await writeJson(join(folder, 'model.json'), withDimensionOfGraph(folder, description))
  if (!isCommit(revision)) await writeJson(pinsFile(), { ...(await readPins()), [asked]: commit })
  return located(repo, commit)
}

/** Fetches what describes the model before its weights, so that one that cannot be used costs next to nothing. */
const describeFirst = async (
  folder: string,
  entry: Pullable,
  { id, repo, licence }: { readonly id: string; readonly repo: string; readonly licence: string },
  signal: AbortSignal | undefined,
): Promise<ModelDescription> => {
  const isConfig = (path: string): boolean => hubLayout.configs.some((config) => config === path)
  await pullModel({ ...entry, files: entry.files.filter(({ path }) => isConfig(path)) }, { takeUnknown: true, signal })
  // The library takes a while to load: only a model that is new here needs it.
  const { describeHubModel } = await import('./describe.ts')
  const name = `hf-${repo.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`.replace(/-$/, '')
  const description = `${repo} of the Hugging Face hub`
  try {
    const towers = { image: entry.image.file, text: entry.text.file }
    const described = await describeHubModel(folder, towers, { id, name, description, licence })
    return { ...described, image: { ...described.image, variants: entry.image.variants } }
  } catch (error) {
    if (error instanceof ModelError) await rm(folder, { recursive: true, force: true })
    throw error
  }
}

const located = async (repo: string, commit: string): Promise<Model> => ({
  ...(await loadFolder(folderOf(repo, commit))),
  name: hubName(repo, commit),
})

const folderOf = (repo: string, commit: string): string => join(pulledFolder(), hubFolderName(repo, commit))

const isCommit = (revision: string | undefined): revision is string => /^[0-9a-f]{40}$/.test(revision ?? '')

/** What branches and tags were found to be. */
const pinsFile = (): string => join(pulledFolder(), 'hub.json')

const readPins = async (): Promise<Readonly<Record<string, string>>> => {
  const json = await readFile(pinsFile(), 'utf8').catch(() => undefined)
  return json === undefined ? {} : JSON.parse(json)
}
