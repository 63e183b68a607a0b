import { computed, signal } from '@preact/signals'
import { eventsUrl, type Health, type IndexingState, listCollections, type ServerEvent } from './api.ts'
import { failure, found, refreshVideos, retry, search, videos } from './state.ts'

/* What goes on in the store and the server, as the server tells it. */

export const health = signal<Health | undefined>(undefined)
export const indexing = signal<IndexingState | undefined>(undefined)
export const isServerAway = signal(false)
export const collections = signal<readonly string[]>([])

/** How long after points were added it counts as being indexed elsewhere. */
const growthMs = 20_000

const grewAtMs = signal(0)
const nowMs = signal(Date.now())

/** Somebody else indexes into the store. */
export const isGrowing = computed(() => !indexing.value?.isRunning && nowMs.value - grewAtMs.value < growthMs)

export const listen = (): void => {
  const source = new EventSource(eventsUrl(search.value.collection))
  const on = <Type extends ServerEvent['type']>(type: Type, hear: (event: ServerEvent & { type: Type }) => void) =>
    source.addEventListener(type, ({ data }) => {
      isServerAway.value = false
      hear(JSON.parse(data))
    })
  on('health', hearHealth)
  on('indexing', (state) => {
    indexing.value = state
  })
  source.addEventListener('error', () => {
    isServerAway.value = true
    // A refusal, such as 503, ends it for good; a broken connection is tried again by the browser.
    if (source.readyState === EventSource.CLOSED) window.setTimeout(listen, 3000)
  })
  window.addEventListener('pagehide', () => source.close(), { once: true })
}

window.setInterval(() => {
  nowMs.value = Date.now()
}, 5000)

const hearHealth = (now: Health): void => {
  const before = health.value
  health.value = now
  if (before && before.status === now.status && now.points > before.points) {
    grewAtMs.value = Date.now()
    nowMs.value = Date.now()
  }
  if (now.status === 'store-away') return
  if (now.status === 'empty') videos.value = []
  else void refreshVideos().catch(() => {})
  // What failed while it was away, or found nothing while there was nothing, is asked again.
  if (failure.value || (before?.status === 'empty' && found.value.length === 0)) retry()
  void listCollections().then(
    ({ names }) => {
      collections.value = names
    },
    () => {},
  )
}
