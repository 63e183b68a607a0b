import { computed, signal } from '@preact/signals'
import { ApiError, handIn, listVideos, type Moment, type SearchAnswer, searchMoments, type Video } from './api.ts'
import { isWhole } from './format.ts'
import { kept } from './kept.ts'
import { composed, fromAddress, hasQuestion, noSearch, type Search, toAddress } from './query.ts'

/*
 * What the page knows of a search, in signals. The search itself lives in the address.
 */

/** Moments asked for at first; each time that the end comes into view they become twice as many, up to what the API gives. */
const firstMoments = 24
const mostMoments = 1000

/** After a key press a search waits as long as the last one took, at most so long: quick ones keep step with typing. */
const mostDebounceMs = 200
let tookMs = 0

const mostRecent = 8

export const search = signal<Search>(fromAddress(location.href))
/** The search whose answer is shown. */
export const answered = signal<Search>(search.value)
/** All moments that were found, those below the minimum score too. */
export const found = signal<readonly Moment[]>([])
export const bestScore = signal<number | null>(null)
export const cutoff = signal<number | null>(null)
/** The model knows no word of the query. */
export const isUnknown = signal(false)
/** Of the query, where the model plainly does not know it. */
export const language = signal<string | null>(null)
export const model = signal('')
export const isSearching = signal(false)
/** All that there is has been found. */
export const isAll = signal(false)
export const failure = signal<ApiError | undefined>(undefined)
export const videos = signal<readonly Video[] | undefined>(undefined)

/** What is shown: scores fall from first to last, so the minimum score is a cut. */
export const moments = computed<readonly Moment[]>(() => {
  const { threshold } = search.value
  return threshold === undefined ? found.value : found.value.filter(({ score }) => score >= threshold)
})

/** A moment whose video is open, and the second that is to be shown of it: by default its peak. */
export type Opened = Moment & { readonly at?: number }

/** The moment that is chosen, and the one whose video is open beside the grid. */
export const chosen = signal(-1)
export const playing = signal<Opened | undefined>(undefined)

/** Width of a picture in the grid in pixels. */
export const density = kept('density', 260)
export const isGrouped = kept('grouped', false)
export const recent = kept<readonly string[]>('recent', [])

export const videosByFingerprint = computed(() => new Map(videos.value?.map((video) => [video.video, video])))

let running: AbortController | undefined
let timer: number | undefined

/** Answers that can be gone back to, by their addresses. */
const earlier = new Map<string, { readonly answer: SearchAnswer; readonly isAll: boolean }>()
const mostEarlier = 20

const show = (asked: Search, answer: SearchAnswer, isLast: boolean): void => {
  found.value = answer.moments
  bestScore.value = answer.bestScore
  cutoff.value = answer.cutoff
  isUnknown.value = answer.unknown
  language.value = answer.language
  model.value = answer.model
  isAll.value = isLast
  failure.value = undefined
  answered.value = asked
  const address = toAddress(asked)
  earlier.delete(address)
  earlier.set(address, { answer, isAll: isLast })
  if (earlier.size > mostEarlier) earlier.delete(earlier.keys().next().value!)
}

/** @param offset moments that are known and stay */
const run = async (n: number, offset = 0): Promise<void> => {
  running?.abort()
  const asked = search.value
  if (!hasQuestion(asked)) {
    found.value = []
    failure.value = undefined
    isSearching.value = false
    return
  }
  running = new AbortController()
  const { signal: stop } = running
  isSearching.value = true
  const startedMs = performance.now()
  try {
    const answer = await searchMoments(asked, { n, offset }, stop)
    const moments = offset > 0 ? [...found.value, ...unknownOf(answer.moments)] : answer.moments
    show(asked, { ...answer, moments }, answer.isLast || offset + n >= mostMoments)
    if (offset === 0) tookMs = performance.now() - startedMs
  } catch (error) {
    if (stop.aborted) return
    fail(error)
  }
  isSearching.value = false
}

/** A server that was started anew may begin its list anew. */
const unknownOf = (moments: readonly Moment[]): readonly Moment[] =>
  moments.filter(({ video, t }) => !found.value.some((each) => each.video === video && each.t === t))

const fail = (error: unknown): void => {
  failure.value =
    error instanceof ApiError
      ? error
      : new ApiError({ code: 'page', message: String(error), remedy: 'Load the page again' })
}

/** The last step of the history is still being typed. */
let isDraft = false

/** Each search is a step to go back to, and all that is typed on the way to it none. */
const toHistory = (isDone: boolean): void => {
  const address = toAddress(search.value)
  const isNew = address !== location.pathname + location.search
  if (isNew && isDraft) history.replaceState(null, '', address)
  else if (isNew) history.pushState(null, '', address)
  isDraft = !isDone && (isDraft || isNew)
}

/** Changes the search; results follow as one types, and at once where `now` says so. */
export const change = (part: Partial<Search>, { now = false } = {}): void => {
  const before = search.value
  search.value = { ...before, ...part }
  clearTimeout(timer)
  // The minimum score only hides what is known already.
  if ('threshold' in part && Object.keys(part).length === 1) {
    history.replaceState(null, '', toAddress(search.value))
    return
  }
  chosen.value = -1
  const ask = () => {
    toHistory(now)
    void run(firstMoments)
  }
  if (now) ask()
  else timer = window.setTimeout(ask, Math.min(mostDebounceMs, tookMs))
}

/** Enter: the search is worth a step back to it, and worth being offered again. */
export const commit = (): void => {
  const q = composed(search.value).trim()
  if (q !== '') recent.value = [q, ...recent.value.filter((each) => each !== q)].slice(0, mostRecent)
  change({}, { now: true })
}

/** Another question, with the same filters or without. */
export const startOver = (part: Partial<Search> = {}): void => {
  const { collection } = search.value
  search.value = { ...noSearch, collection, ...part }
  playing.value = undefined
  isDraft = false
  commit()
}

/** Asks for what comes after the moments that are known. @param least that are to be known, if there are so many */
export const more = (least = 2 * found.value.length): void => {
  const { length } = found.value
  if (isSearching.value || isAll.value || length === 0 || failure.value || length >= least) return
  void run(Math.min(mostMoments, least) - length, length)
}

export const retry = (): void => void run(Math.max(firstMoments, found.value.length))

export const likenessOf = ({ video, t, box }: Pick<Moment, 'video' | 't' | 'box'>): string => {
  const corners = box.map((value) => Number(Math.max(0, Math.min(1, value)).toFixed(4))).join(',')
  return `${video}@${t.toFixed(3)}${isWhole(box) ? '' : `@${corners}`}`
}

/** Feedback: the list is ranked anew at once. The same again takes it back. */
export const judge = (name: string, as: 'like' | 'unlike'): void => {
  const { like, unlike } = search.value
  const without = { like: like.filter((each) => each !== name), unlike: unlike.filter((each) => each !== name) }
  const isSaidAgain = search.value[as].includes(name)
  change({ ...without, ...(isSaidAgain ? {} : { [as]: [...without[as], name] }) }, { now: true })
}

/** Searches by a picture that was dropped, pasted or chosen. */
export const searchByPicture = async (picture: Blob): Promise<void> => {
  isSearching.value = true
  try {
    const name = await handIn(picture)
    change({ like: [...search.value.like, name] }, { now: true })
  } catch (error) {
    isSearching.value = false
    fail(error)
  }
}

/** Looks at the collection's videos again. @throws ApiError */
export const refreshVideos = async (): Promise<void> => {
  try {
    videos.value = await listVideos(search.value.collection)
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'collection-missing') throw error
    videos.value = []
  }
}

export const begin = (): void => {
  window.addEventListener('popstate', () => {
    search.value = fromAddress(location.href)
    playing.value = undefined
    chosen.value = -1
    isDraft = false
    clearTimeout(timer)
    const known = earlier.get(toAddress(search.value))
    if (!known) return void run(firstMoments)
    running?.abort()
    isSearching.value = false
    show(search.value, known.answer, known.isAll)
  })
  void run(firstMoments)
}
