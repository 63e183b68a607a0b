import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../../errors.ts'
import { loadFolder } from '../description.ts'
import { pulledFolder, writeJson } from '../disk.ts'
import type { Model } from '../model.ts'
import { pullModel } from '../pull/pull.ts'
import { askHub } from './repository.ts'

type HubName = { readonly repo: string; readonly revision: string | undefined }

const parse = (name: string): HubName => {
  const [, repo, revision] = /^hf:(\w[\w.-]*\/\w[\w.-]*)(?:@([\w./-]+))?$/.exec(name) ?? []
  if (repo) return { repo, revision }
  throw new UsageError(`Expected a repository like hf:ORG/NAME or hf:ORG/NAME@REVISION, got "${name}"`, {
    remedy: 'Look for one with ONNX files: https://huggingface.co/models?library=onnx&search=clip',
  })
}

export type LoadOptions = {
  readonly signal?: AbortSignal
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
export const loadHubModel = async (name: string, { signal, onFetch }: LoadOptions = {}): Promise<Model> => {
  const { repo, revision } = parse(name)
  const asked = `${repo}@${revision ?? 'main'}`
  const pinned = isCommit(revision) ? revision : (await readPins())[asked]
  if (pinned && existsSync(join(folderOf(repo, pinned), 'model.json'))) return located(repo, pinned)

  const { entry, commit, licence } = await askHub(
    repo,
    pinned ?? revision ?? 'main',
    (found) => nameOf(repo, found),
    signal,
  )
  onFetch?.(idOf(repo, commit))
  await pullModel(entry, { takeUnknown: true, signal })
  // The library takes a while to load: only a model that is new here needs it.
  const { describeHubModel } = await import('./describe.ts')
  const folder = folderOf(repo, commit)
  const description = await describeHubModel(folder, entry, { id: idOf(repo, commit), repo, licence })
  await writeJson(join(folder, 'model.json'), description)
  if (!isCommit(revision)) await writeJson(pinsFile(), { ...(await readPins()), [asked]: commit })
  return located(repo, commit)
}

const located = async (repo: string, commit: string): Promise<Model> => ({
  ...(await loadFolder(folderOf(repo, commit))),
  name: idOf(repo, commit),
})

/** Also a name that the model can be loaded by. */
const idOf = (repo: string, commit: string): string => `hf:${repo}@${commit}`

/** Not a name that an added model can have. */
const nameOf = (repo: string, commit: string): string => `hf--${repo.replace('/', '--')}@${commit}`

const folderOf = (repo: string, commit: string): string => join(pulledFolder(), nameOf(repo, commit))

const isCommit = (revision: string | undefined): revision is string => /^[0-9a-f]{40}$/.test(revision ?? '')

/** What branches and tags were found to be. */
const pinsFile = (): string => join(pulledFolder(), 'hub.json')

const readPins = async (): Promise<Readonly<Record<string, string>>> => {
  const json = await readFile(pinsFile(), 'utf8').catch(() => undefined)
  return json === undefined ? {} : JSON.parse(json)
}
