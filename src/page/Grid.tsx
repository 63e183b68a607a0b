import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Moment } from './api.ts'
import { MomentCard } from './Card.tsx'
import { nameOf } from './format.ts'
import {
  bestScore,
  chosen,
  density,
  found,
  isAll,
  isGrouped,
  isSearching,
  isUnknown,
  language,
  model,
  moments,
  more,
  search,
  startOver,
} from './state.ts'

export const Grid = () => {
  const shown = moments.value
  if (shown.length === 0) return isSearching.value ? <Waiting /> : <Nothing />
  const cards = shown.map((moment, place) => ({ moment, place }))
  const weak = cards.filter(({ moment }) => !moment.likely)
  return (
    <>
      {isUnknown.value ? (
        <p class="aside" role="status">
          The model knows no word of this query, so that scores mean nothing. Use other words.
        </p>
      ) : null}
      {language.value === null ? null : (
        <p class="aside" role="status">
          This looks like {new Intl.DisplayNames('en', { type: 'language' }).of(language.value)}, which the model does
          not know. Search in English.
        </p>
      )}
      <Moments cards={cards.filter(({ moment }) => moment.likely)} />
      {weak.length > 0 ? (
        <h2 class="divider">
          {weak.length === cards.length ? 'Nothing here looks like that; nearest:' : 'Less likely from here'}
        </h2>
      ) : null}
      <Moments cards={weak} />
      <End />
    </>
  )
}

type Place = { readonly moment: Moment; readonly place: number }

const Moments = ({ cards }: { cards: readonly Place[] }) => {
  if (cards.length === 0) return null
  if (!isGrouped.value) return <Cards cards={cards} />
  const byVideo = new Map<string, Place[]>()
  for (const card of cards) byVideo.set(card.moment.video, [...(byVideo.get(card.moment.video) ?? []), card])
  return (
    <>
      {[...byVideo].map(([video, group]) => (
        <section key={video} class="group">
          <h2>{nameOf(group[0]!.moment.path)}</h2>
          <Cards cards={group} />
        </section>
      ))}
    </>
  )
}

/** As style.css has it: between cards, and below a picture. */
const gap = 12
const captionHeight = 44

/** What is drawn beyond the window each way, in pixels: thousands of moments cost no more than a few screens. */
const marginPixels = 900

type Layout = { readonly columns: number; readonly rowHeight: number; readonly first: number; readonly last: number }

const layoutOf = (list: HTMLElement, count: number): Layout => {
  const { top, width } = list.getBoundingClientRect()
  const cell = Math.min(density.value, window.innerWidth <= 820 ? (width - gap) / 2 : width)
  const columns = Math.max(1, Math.floor((width + gap) / (cell + gap)))
  const rowHeight = (((width - gap * (columns - 1)) / columns) * 9) / 16 + captionHeight
  const rows = Math.ceil(count / columns)
  const row = (y: number): number => Math.max(0, Math.min(rows, Math.floor(y / rowHeight)))
  return {
    columns,
    rowHeight,
    first: row(-top - marginPixels),
    last: Math.max(1, row(window.innerHeight - top + marginPixels) + 1),
  }
}

const Cards = ({ cards }: { cards: readonly Place[] }) => {
  const list = useRef<HTMLOListElement>(null)
  const [layout, setLayout] = useState<Layout>({ columns: 4, rowHeight: 200, first: 0, last: 6 })
  const { columns, rowHeight, first, last } = layout
  const width = density.value
  const { length } = cards
  // Before anything is drawn, so that no other layout flashes up.
  useLayoutEffect(() => {
    const element = list.current
    if (!element) return
    let asked = 0
    const look = () => {
      asked = 0
      const next = layoutOf(element, length)
      setLayout((now) =>
        Object.entries(next).every(([key, value]) => now[key as keyof Layout] === value) ? now : next,
      )
    }
    const onScroll = () => {
      if (asked === 0) asked = requestAnimationFrame(look)
    }
    const watch = new ResizeObserver(onScroll)
    watch.observe(element.parentElement!)
    window.addEventListener('scroll', onScroll, { passive: true })
    look()
    return () => {
      cancelAnimationFrame(asked)
      watch.disconnect()
      window.removeEventListener('scroll', onScroll)
    }
  }, [length, width])

  const chosenAt = cards.findIndex(({ place }) => place === chosen.value)
  useEffect(() => {
    if (chosenAt < 0 || !list.current) return
    // A card that is not drawn cannot be scrolled to, its place can.
    const top = list.current.getBoundingClientRect().top + Math.floor(chosenAt / columns) * rowHeight
    const header = document.querySelector('header')?.offsetHeight ?? 0
    if (top < header) window.scrollBy({ top: top - header - gap })
    else if (top + rowHeight > window.innerHeight) window.scrollBy({ top: top + rowHeight - window.innerHeight })
  }, [chosenAt])

  const rows = Math.ceil(length / columns)
  return (
    <ol
      ref={list}
      class="grid"
      style={{
        gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
        paddingTop: `${first * rowHeight}px`,
        paddingBottom: `${Math.max(0, rows - last) * rowHeight}px`,
      }}
    >
      {cards.slice(first * columns, last * columns).map(({ moment, place }) => (
        <MomentCard
          key={`${moment.video}@${moment.t}`}
          moment={moment}
          place={place}
          total={isAll.value ? moments.value.length : -1}
        />
      ))}
    </ol>
  )
}

/** Asks for more when it comes into view. */
const End = () => {
  const element = useRef<HTMLDivElement>(null)
  const count = found.value.length
  // Nothing that is still to come reaches the minimum score.
  const isEnough = moments.value.length < count
  const isBusy = isSearching.value
  // Watched anew after each answer, so that it asks again while it stays in view.
  useEffect(() => {
    if (isEnough || isBusy) return
    const watch = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && more(), {
      rootMargin: '600px',
    })
    if (element.current) watch.observe(element.current)
    return () => watch.disconnect()
  }, [count, isEnough, isBusy])
  const shown = moments.value.length
  return (
    <div ref={element} class="end" role="status">
      {isBusy
        ? 'Looking for more …'
        : isAll.value || isEnough
          ? `That is all: ${shown} moment${shown === 1 ? '' : 's'}.`
          : ''}
      {model.value.startsWith('starter') ? (
        <p class="hint" title="vidgrep models pull clip-vit-b-32 && vidgrep reindex --model clip-vit-b-32">
          Found with the small starter model: CLIP finds far more.
        </p>
      ) : null}
    </div>
  )
}

/** Laid out as the moments will be, so that nothing jumps. */
const Waiting = () => (
  <ol
    class="grid waiting"
    aria-label="Searching"
    style={{ '--cell': `${window.innerWidth <= 820 ? 0 : density.value}px` }}
  >
    {Array.from({ length: 8 }, (_, i) => (
      <li key={i} class="ghost" aria-hidden="true" />
    ))}
  </ol>
)

const Nothing = () => (
  <div class="message" role="status">
    <h2>Nothing here looks like {search.value.q.trim() === '' ? 'that' : `“${search.value.q}”`}</h2>
    {bestScore.value === null ? (
      <>
        <p>No video fits these filters.</p>
        <button type="button" onClick={() => startOver({ q: search.value.q, like: search.value.like })}>
          Search all videos
        </button>
      </>
    ) : (
      <p>
        The best score was {bestScore.value.toFixed(1)} ({model.value}).
      </p>
    )}
  </div>
)
