import { fetch } from 'undici'
import { UsageError } from '../../errors.ts'
import { hubFolderName, hubLayout, hubVariants } from '../disk.ts'
import type { Pullable } from '../manifest.ts'
import { ModelError } from '../model.ts'
import { connect } from '../pull/download.ts'
import { hubEndpoint } from '../pull/plan.ts'

/** The part of the hub's answer that is read. Files kept in large-file storage come with their SHA-256. */
type Answer = {
  readonly sha: string
  readonly siblings: readonly {
    readonly rfilename: string
    readonly size?: number
    readonly lfs?: { readonly sha256?: string }
  }[]
  readonly cardData?: { readonly license?: string }
}

export type HubFiles = {
  readonly entry: Pullable
  readonly commit: string
  readonly licence: string
}

/**
 * Asks the hub which commit a revision is and which files it has, and picks those that a model needs.
 *
 * @throws UsageError if there is no such repository or revision
 * @throws ModelError if it has not the files, or the hub cannot be reached
 */
export const askHub = async (repo: string, revision: string, signal?: AbortSignal): Promise<HubFiles> => {
  const { sha, siblings, cardData } = await ask(repo, revision, signal)
  const towers = hubLayout.towers.find(({ image, text }) => [image, text].every((path) => has(siblings, path)))
  const missing = [
    ...(towers ? [] : [hubLayout.towers[0].image, hubLayout.towers[0].text]),
    ...hubLayout.configs,
  ].filter((path) => !has(siblings, path))
  if (!towers || missing.length > 0) {
    throw new ModelError(
      'hub-files-missing',
      `Expected hf:${repo} to be exported as transformers.js wants it, got no ${missing.join(', ')}`,
      { remedy: 'Fetch its files into a folder, describe them in a model.json there, and use --model ./folder' },
    )
  }
  const parts = siblings.filter(({ rfilename }) =>
    [towers.image, towers.text].some((graph) => isPart(rfilename, graph)),
  )
  const variants = hubVariants(towers.image, (path) => has(siblings, path))
  const graphs = [towers.image, ...Object.values(variants ?? {}), towers.text]
  const paths = [...graphs, ...parts.map(({ rfilename }) => rfilename), ...hubLayout.configs]
  const licence = cardData?.license ?? `see https://huggingface.co/${repo}`
  const files = paths.map((path) => {
    const { size, lfs } = siblings.find(({ rfilename }) => rfilename === path)!
    return { path, bytes: size ?? null, sha256: lfs?.sha256 ?? null }
  })
  const source = { repo, revision: sha }
  return {
    entry: {
      name: hubFolderName(repo, sha),
      source,
      licence,
      files,
      image: { file: towers.image, variants },
      text: { file: towers.text },
    },
    commit: sha,
    licence,
  }
}

/** Weights that are too large for a graph lie in files beside it, called after it. */
const isPart = (path: string, graph: string): boolean =>
  path.startsWith(graph) && /^_data(?:_\d+)?$/.test(path.slice(graph.length))

const has = (siblings: Answer['siblings'], path: string): boolean =>
  siblings.some(({ rfilename }) => rfilename === path)

const ask = async (repo: string, revision: string, signal: AbortSignal | undefined): Promise<Answer> => {
  const url = `${hubEndpoint()}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`
  const connection = connect(true)
  try {
    const response = await fetch(url, {
      headers: connection.headers,
      dispatcher: connection.dispatcher,
      ...(signal && { signal }),
    })
    if (!response.ok) throw refused(repo, revision, response.status)
    const answer = (await response.json()) as Answer
    if (!/^[0-9a-f]{40}$/.test(answer.sha)) throw new Error(`a revision "${answer.sha}"`)
    return answer
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof UsageError || cause instanceof ModelError) throw cause
    const reason = ((cause as Error).cause as Error | undefined)?.message || (cause as Error).message
    throw new ModelError('hub-unreachable', `Expected ${url} to answer, got: ${reason}`, {
      remedy: 'Check the connection, or name a mirror: HF_ENDPOINT=https://…; a model that was fetched needs none',
      cause,
    })
  } finally {
    await connection.close()
  }
}

const refused = (repo: string, revision: string, status: number): Error =>
  status === 404
    ? new UsageError(`Expected a repository on the hub, got none called ${repo} with a revision ${revision}`, {
        remedy: `Look at https://huggingface.co/${repo}`,
      })
    : new ModelError('hub-refused', `Expected the hub to describe ${repo}, got status ${status}`, {
        remedy:
          status === 401 || status === 403
            ? `If https://huggingface.co/${repo} is right: set HF_TOKEN to a token that may read it`
            : 'Try again later, or name a mirror: HF_ENDPOINT=https://…',
      })
