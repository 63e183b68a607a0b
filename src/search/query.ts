import type { OpenCollection } from '../collection.ts'
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
  /** Called if the model knows no word of the query. */
  readonly onUnknown?: (query: string) => void
  readonly signal?: AbortSignal
}

export type SearchResult = MomentSearchResult & {
  readonly query: string
  /** Id of the model. */
  readonly model: string
  readonly collection: string
  /** The threshold in force, `undefined` if the model has none. */
  readonly threshold: number | undefined
  /** The model knows no word of the query, so that scores and moments say nothing. */
  readonly unknown: boolean
}

/** What a query is asked of. */
export type Searched = Pick<OpenCollection, 'model' | 'encoder' | 'existing'>

/**
 * Finds the moments that show what a query says. The text tower and the store are loaded side by side.
 *
 * @throws CollectionMissingError if nothing was ever indexed
 */
export const searchWords = async (
  searched: Searched,
  query: string,
  { n, gapSeconds, signal, onTruncated, onUnknown, ...rest }: SearchQueryOptions = {},
): Promise<SearchResult> => {
  const { model } = searched
  const store = searched.existing()
  const threshold = rest.threshold ?? model.threshold
  let unknown = false
  const noteUnknown = () => {
    unknown = true
    onUnknown?.(query)
  }
  // The encoder first: loading the store holds up this thread, and the encoder's own must run by then.
  const encoder = await searched.encoder()
  const encoding = encoder.encodeTexts([query], { signal, onTruncated, onUnknown: noteUnknown })
  const [[vector]] = await Promise.all([encoding, store.warmUp?.()])
  const { paths: globs, afterSeconds, beforeSeconds } = rest
  const paths = globs && (await pathsOf(searched, globs, signal))
  const found = await searchMoments({
    store,
    vector: vector!,
    n,
    thresholdScore: threshold,
    gapSeconds,
    paths,
    filter: { afterSeconds, beforeSeconds },
    signal,
  })
  return { query, model: model.id, collection: store.collection.name, threshold, unknown, ...found }
}

const pathsOf = async ({ existing }: Searched, globs: readonly string[], signal: AbortSignal | undefined) => {
  const [{ matchPaths }, records] = await Promise.all([import('../files/paths.ts'), existing().records({ signal })])
  return matchPaths(records, globs)
}
