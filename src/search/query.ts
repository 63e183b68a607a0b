import type { OpenCollection } from '../collection.ts'
import type { TextEmbedding } from '../encoder/textCache.ts'
import { type MomentSearchResult, searchMoments } from './search.ts'

export type SearchQueryOptions = {
  /** Moments wanted. @default 6 */
  readonly n?: number
  /** Least score (100 · cosine). Default: the model's own. */
  readonly threshold?: number
  /** Seconds that two moments of one video are apart at least. @default 0.1 */
  readonly gapSeconds?: number
  /** Only videos whose path matches one of these globs. */
  readonly paths?: readonly string[]
  /** Only what is seen at or after this time within the video, in seconds. */
  readonly afterSeconds?: number
  /** Only what begins at or before this time within the video, in seconds. */
  readonly beforeSeconds?: number
  readonly onTruncated?: (query: string) => void
  readonly signal?: AbortSignal
}

export type SearchResult = MomentSearchResult & {
  readonly query: string
  /** Id of the model. */
  readonly model: string
  readonly collection: string
  /** The threshold in force, `undefined` if the model has none. */
  readonly threshold: number | undefined
}

/** What a query is asked of. */
export type Searched = Pick<OpenCollection, 'model' | 'texts' | 'encoder' | 'existing'>

/**
 * Finds the moments that show what a query says. The text tower and the store are loaded side by side; a query that was
 * asked before needs no text tower.
 *
 * @throws CollectionMissingError if nothing was ever indexed
 */
export const searchWords = async (
  searched: Searched,
  query: string,
  { n, gapSeconds, signal, onTruncated, ...rest }: SearchQueryOptions = {},
): Promise<SearchResult> => {
  const { model, texts } = searched
  const store = searched.existing()
  const threshold = rest.threshold ?? model.threshold
  const known = await texts.get(query)
  const { vector, truncated } = known ?? (await encode(searched, query, signal))
  if (truncated) onTruncated?.(query)
  const { paths: globs, afterSeconds, beforeSeconds } = rest
  const paths = globs && (await pathsOf(searched, globs, signal))
  const [found] = await Promise.all([
    searchMoments({
      store,
      vector,
      n,
      thresholdScore: threshold,
      gapSeconds,
      filter: { paths, afterSeconds, beforeSeconds },
      signal,
    }),
    known ? undefined : texts.put(query, { vector, truncated }),
  ])
  return { query, model: model.id, collection: store.collection.name, threshold, ...found }
}

const encode = async (
  { encoder, existing }: Searched,
  query: string,
  signal: AbortSignal | undefined,
): Promise<TextEmbedding> => {
  let truncated = false
  const onTruncated = () => {
    truncated = true
  }
  // The encoder first: loading the store holds up this thread, and the encoder's own must run by then.
  const encoding = (await encoder()).encodeTexts([query], { signal, onTruncated })
  const [[vector]] = await Promise.all([encoding, existing().warmUp?.()])
  return { vector: vector!, truncated }
}

const pathsOf = async ({ existing }: Searched, globs: readonly string[], signal: AbortSignal | undefined) => {
  const [{ filterPaths }, records] = await Promise.all([import('../files/paths.ts'), existing().records({ signal })])
  return filterPaths(records, globs)
}
