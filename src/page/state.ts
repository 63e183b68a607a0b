import { computed, effect, signal } from '@preact/signals'
import {
  ApiError,
  fromAddress,
  health,
  listVideos,
  type Moment,
  type Search,
  searchMoments,
  toAddress,
  type Video,
} from './api.ts'

/*
 * What the page knows, in signals. A search lives in the address; everything else that is kept is kept by the browser.
 */

/** Moments asked for at first, and more of them each time that the end comes into view. */
const pageSize = 24
const mostMoments = 480

const debounceMs = 160
const mostRecent = 8

const kept = <T>(key: string, initial: T) => {
  const read = (): T => {
    try {
      return JSON.parse(localStorage.getItem(`vidgrep.${key}`) ?? 'null') ?? initial
    } catch {
      return initial
    }
  }
  const value = signal<T>(read())
  effect(() => {
    const text = JSON.stringify(value.value)
    try {
      localStorage.setItem(`vidgrep.${key}`, text)
    } catch {
      // A browser that keeps nothing still searches.
    }
  })
  return value
}

export const search = signal<Search>(fromAddress(location.href))
export const moments = signal<readonly Moment[]>([])
export const bestScore = signal<number | null>(null)
/** The model knows no word of the query. */
export const isUnknown = signal(false)
export const model = signal('')
export const isSearching = signal(false)
/** All that there is has been shown. */
export const isAll = signal(false)
export const failure = signal<ApiError | undefined>(undefined)
export const videos = signal<readonly Video[] | undefined>(undefined)

/** The moment that is chosen, and whether its video is open beside the grid. */
export const chosen = signal(-1)
export const playing = signal<Moment | undefined>(undefined)

/** Width of a picture in the grid in pixels. */
export const density = kept('density', 280)
export const isGrouped = kept('grouped', false)
export const recent = kept<readonly string[]>('recent', [])

/** Moments that were marked to be taken along, best thing first. */
export type Marked = Pick<Moment, 'video' | 'path' | 't' | 'score'> & { readonly from: number; readonly to: number }
export const marked = kept<readonly Marked[]>('marked', [])

export const videosByFingerprint = computed(() => new Map(videos.value?.map((video) => [video.video, video])))

let running: AbortController | undefined
let timer: number | undefined
let wanted = pageSize

/** Runs the search that is in the address, and asks for no more than was seen of it. */
const run = async (n: number): Promise<void> => {
  running?.abort()
  const { q } = search.value
  if (q.trim() === '') {
    moments.value = []
    failure.value = undefined
    isSearching.value = false
    return
  }
  running = new AbortController()
  const { signal: stop } = running
  isSearching.value = true
  try {
    const found = await searchMoments(search.value, n, stop)
    moments.value = found.moments
    bestScore.value = found.bestScore
    isUnknown.value = found.unknown
    model.value = found.model
    isAll.value = found.moments.length < n || n >= mostMoments
    failure.value = undefined
    isSearching.value = false
  } catch (error) {
    if (stop.aborted) return
    failure.value =
      error instanceof ApiError
        ? error
        : new ApiError({ code: 'page', message: String(error), remedy: 'Load the page again' })
    isSearching.value = false
  }
}

/** Changes the search; results follow as one types. */
export const change = (part: Partial<Search>, { now = false } = {}): void => {
  search.value = { ...search.value, ...part }
  chosen.value = -1
  wanted = pageSize
  clearTimeout(timer)
  timer = window.setTimeout(
    () => {
      history.replaceState(null, '', toAddress(search.value))
      void run(wanted)
    },
    now ? 0 : debounceMs,
  )
}

/** Enter: the search is worth a step back to it, and worth being offered again. */
export const commit = (): void => {
  const q = search.value.q.trim()
  if (q === '') return
  history.pushState(null, '', toAddress(search.value))
  recent.value = [q, ...recent.value.filter((each) => each !== q)].slice(0, mostRecent)
  change({}, { now: true })
}

export const more = (): void => {
  if (isSearching.value || isAll.value || moments.value.length === 0 || failure.value) return
  wanted = Math.min(mostMoments, wanted + pageSize)
  void run(wanted)
}

export const begin = (): void => {
  window.addEventListener('popstate', () => {
    search.value = fromAddress(location.href)
    playing.value = undefined
    void run(pageSize)
  })
  void run(pageSize)
  void refreshVideos()
}

/** Tries again until the server is there. */
const refreshVideos = async (): Promise<void> => {
  try {
    videos.value = (await health()).status === 'ok' ? await listVideos() : []
  } catch (error) {
    if (error instanceof ApiError) failure.value = error
    window.setTimeout(refreshVideos, 3000)
    return
  }
  if (failure.value?.code === 'server-away') void run(wanted)
}

export const isMarked = (moment: Moment): boolean =>
  marked.value.some(({ video, t }) => video === moment.video && t === moment.t)

export const toggleMark = (moment: Moment, range?: { from: number; to: number }): void => {
  const { video, path, t, from, to, score } = moment
  marked.value =
    isMarked(moment) && !range
      ? marked.value.filter((each) => each.video !== video || each.t !== t)
      : [
          ...marked.value.filter((each) => each.video !== video || each.t !== t),
          { video, path, t, score, from: range?.from ?? from, to: range?.to ?? to },
        ]
}

/** Which dialog is open. */
export const isHelpOpen = signal(false)
export const isMarksOpen = signal(false)

/** @returns whether one was open */
export const closeDialogs = (): boolean => {
  const wasOpen = isHelpOpen.value || isMarksOpen.value
  isHelpOpen.value = false
  isMarksOpen.value = false
  return wasOpen
}
