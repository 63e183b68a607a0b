import type { OpenCollection } from '../collection.ts'
import type { Store, VideoRecord } from '../store/store.ts'
import { elsewhere, knownCopies, sameFrameOf } from './copies.ts'
import { find, type Moment, type Scope, toMoment } from './find.ts'
import { foreignLanguage, languageName } from './language.ts'
import { standardOf } from './likelihood.ts'
import type { FoundMoment } from './moments.ts'
import { checkSearch, type SearchOptions, type SimilarOptions, searchDefaults } from './options.ts'
import { describeQuery, type Query, type VideoPlace } from './query.ts'
import { once, recentRecords } from './records.ts'
import { resolveQuery, type Target } from './resolve.ts'
import { hasFilter, matchVideos, placeOf } from './videos.ts'

export type SearchResult = {
  /** As it was given; of an example a line that describes it. */
  readonly query: string
  /** Id of the model. */
  readonly model: string
  readonly collection: string
  /** Best first. */
  readonly moments: readonly Moment[]
  /** Score of the best point; `undefined` if there is none to search in. */
  readonly bestScore: number | undefined
  /**
   * Score from which on moments are likely: what only a quarter (more by {@link SearchOptions.strictness}) of plain
   * captions reach in these videos; else the model's own threshold, `undefined` if it has none.
   */
  readonly cutoff: number | undefined
  /** The model knows no word of the query, so that scores and moments say nothing. */
  readonly unknown: boolean
  /** Language of the query (ISO 639-1) where it plainly is one that the model does not know. */
  readonly language: string | undefined
}

/** What a query is asked of. */
export type Searched = Pick<OpenCollection, 'model' | 'encoder' | 'existing'>

/**
 * Finds the moments that show what a query says. The text tower and the store are loaded side by side.
 *
 * @throws UsageError if the query is empty or breaks the rules, or an option is out of range
 * @throws CollectionMissingError if nothing was ever indexed
 */
export const search = async (searched: Searched, query: Query, options: SearchOptions = {}): Promise<SearchResult> => {
  const { store, scope, cutoff, ...asked } = await prepare(searched, query, options)
  const { found, bestScore } = await find(store, asked.target, scope, cutoff, options)
  const moments = found.map((moment, i) =>
    withOthers(toMoment(moment, i + 1, scope.paths), moment.repeats ?? [], scope, options),
  )
  const { unknown, language } = asked
  const [{ id }, { name }] = [searched.model, store.collection]
  return { query: describeQuery(query), model: id, collection: name, moments, bestScore, cutoff, unknown, language }
}

export type Prepared = Pick<SearchResult, 'cutoff' | 'unknown' | 'language'> & {
  readonly store: Store
  readonly target: Target
  readonly scope: Scope
}

/** Encodes a query, and finds out which videos to search and what is likely in them. @throws as {@link search} */
export const prepare = async (searched: Searched, query: Query, options: SearchOptions): Promise<Prepared> => {
  checkSearch(query, options)
  const { signal, onTruncated, onUnknown, onForeign } = options
  const { model } = searched
  const store = searched.existing()
  let unknown = false
  const noteUnknown = (text: string) => {
    unknown = true
    onUnknown?.(text)
  }
  // The encoder first: loading the store holds up this thread, and the encoder's own must run by then.
  const encoder = await searched.encoder()
  const resolving = resolveQuery(query, { encoder, store, signal, onTruncated, onUnknown: noteUnknown })
  const [target, scope] = await Promise.all([resolving, scopeOf(store, model, options), store.warmUp?.()])
  const cutoff = scope.standard?.scoreAt(options.strictness ?? searchDefaults.strictness) ?? model.threshold
  const language = foreignLanguage(query, model, options.language)
  if (language) onForeign?.(languageName(language))
  return { store, target, scope, cutoff, unknown, language }
}

/**
 * Finds the moments that look like what a video shows at a time, or like a part of it; that moment itself is left out.
 *
 * @throws UsageError if there is no such video or place, or an option is out of range
 * @throws CollectionMissingError if nothing was ever indexed
 */
export const similar = async (
  searched: Searched,
  source: VideoPlace,
  { like = [], unlike, ...options }: SimilarOptions = {},
): Promise<SearchResult> => {
  const { n = searchDefaults.n, signal } = options
  const { record } = (await placeOf(searched.existing(), source, { signal })) ?? {}
  const result = await search(searched, { like: [source, ...like], unlike }, { ...options, n: n + 1 })
  const isItself = ({ video, from, to }: Moment) => video === record?.video && from <= source.t && source.t <= to
  const moments = result.moments.filter((moment) => !isItself(moment)).slice(0, n)
  return { ...result, moments: moments.map((moment, i) => ({ ...moment, rank: i + 1 })) }
}

const scopeOf = async (store: Store, model: Searched['model'], options: SearchOptions): Promise<Scope> => {
  const { signal } = options
  // Which videos are searched has to be right: without a number of their records they are read anew.
  const isFresh = hasFilter(options) && !store.recordsVersion
  const all = isFresh ? await store.records({ signal }) : await recentRecords(store, { signal })
  const sameFrame = sameFrameOf(model)
  if (!hasFilter(options))
    return { paths: pathsNow(all), filter: {}, records: all, all, standard: standardOf(all), sameFrame }
  const paths = (await matchVideos(all, options))!
  const records = all.filter(({ video }) => paths.has(video))
  return { paths, filter: filterOf(records, all), records, all, standard: standardOf(records), sameFrame }
}

/** Where each video lies now: a point remembers where it was indexed, its video's record every place. */
const pathsNow = once(
  (records): ReadonlyMap<string, string> =>
    new Map(records.flatMap(({ video, files: [file] }) => (file ? [[video, file.path]] : []))),
)

/** The shorter of two lists, as the store looks for each of them: those that are searched, or those that are not. */
const filterOf = (searched: readonly VideoRecord[], all: readonly VideoRecord[]): Scope['filter'] => {
  const videos = searched.map(({ video }) => video)
  if (2 * videos.length <= all.length) return { videos }
  const known = new Set(videos)
  return { exceptVideos: all.map(({ video }) => video).filter((video) => !known.has(video)) }
}

/** Adds where else the peak of a moment is to be seen. */
const withOthers = (
  moment: Moment,
  repeats: readonly FoundMoment[],
  { all }: Scope,
  { copies, filter }: SearchOptions,
): Moment => {
  const { video, path, t } = moment
  const isTogether = !copies && filter !== 'article'
  const others = isTogether ? elsewhere(knownCopies(all), { video, from: t, to: t }) : []
  const at = new Map([[video, t], ...others.map((other) => [other.video, other.from] as const)])
  const again = repeats.map(({ peak }) => ({ path, video, t: peak.t }))
  const elsewhereToo = all
    .filter((record) => at.has(record.video))
    .flatMap(({ video, files }) => files.map((file) => ({ path: file.path, video, t: at.get(video)! })))
    .filter((place) => place.path !== path)
  const also = [...again, ...elsewhereToo]
  return also.length > 0 ? { ...moment, also } : moment
}
