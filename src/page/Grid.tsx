import { useEffect, useRef, useState } from 'preact/hooks'
import { frameUrl, type Moment } from './api.ts'
import { clock, explanation, nameOf, strength } from './format.ts'
import {
  bestScore,
  chosen,
  density,
  isAll,
  isGrouped,
  isMarked,
  isSearching,
  isUnknown,
  model,
  moments,
  more,
  playing,
  search,
  toggleMark,
  videosByFingerprint,
} from './state.ts'

export const Grid = () => {
  const found = moments.value
  if (found.length === 0) return isSearching.value ? <Waiting /> : <Nothing />
  const cards = found.map((moment, place) => ({ moment, place }))
  const weak = cards.filter(({ moment }) => !moment.likely)
  return (
    <>
      {isUnknown.value ? (
        <p class="aside" role="status">
          The model knows no word of this query, so that scores mean nothing. Use other words.
        </p>
      ) : null}
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

type Card = { readonly moment: Moment; readonly place: number }

const Moments = ({ cards }: { cards: readonly Card[] }) => {
  if (cards.length === 0) return null
  if (!isGrouped.value) return <Cards cards={cards} />
  return (
    <>
      {[...groups(cards)].map(([video, group]) => (
        <section key={video} class="group">
          <h2>{nameOf(group[0]!.moment.path)}</h2>
          <Cards cards={group} />
        </section>
      ))}
    </>
  )
}

const groups = (cards: readonly Card[]): ReadonlyMap<string, readonly Card[]> => {
  const byVideo = new Map<string, Card[]>()
  for (const card of cards) {
    const { video } = card.moment
    byVideo.set(video, [...(byVideo.get(video) ?? []), card])
  }
  return byVideo
}

const Cards = ({ cards }: { cards: readonly Card[] }) => (
  <ol class="grid" style={{ '--cell': `${density.value}px` }}>
    {cards.map(({ moment, place }) => (
      <MomentCard key={`${moment.video}@${moment.t}`} moment={moment} place={place} />
    ))}
  </ol>
)

/** Seconds before and after a moment that the pointer scrubs through, and pictures in between. */
const scrubSeconds = 3
const scrubSteps = 12

const MomentCard = ({ moment, place }: Card) => {
  const isChosen = chosen.value === place
  const element = useRef<HTMLButtonElement>(null)
  const [at, setAt] = useState<number | undefined>(undefined)
  useEffect(() => {
    if (isChosen) element.current?.scrollIntoView({ block: 'nearest' })
  }, [isChosen])
  const scrub = ({ currentTarget, clientX, pointerType }: PointerEvent) => {
    if (pointerType !== 'mouse') return
    const { left, width } = (currentTarget as HTMLElement).getBoundingClientRect()
    const step = Math.round(((clientX - left) / width) * scrubSteps)
    setAt(Math.max(0, moment.t + ((step * 2) / scrubSteps - 1) * scrubSeconds))
  }
  const shown = at ?? moment.t
  const name = nameOf(moment.path)
  return (
    <li class={isChosen ? 'chosen' : ''}>
      <button
        ref={element}
        type="button"
        class="open"
        aria-label={`${name} at ${clock(moment.t)}, score ${moment.score.toFixed(0)}${moment.likely ? '' : ', less likely'}`}
        onClick={() => {
          chosen.value = place
          playing.value = moment
        }}
        onPointerMove={scrub}
        onPointerLeave={() => setAt(undefined)}
      >
        <Picture moment={moment} seconds={shown} hasBox={at === undefined} />
        <span class="time">{clock(shown)}</span>
        <span class="score" style={{ '--score': `${strength(moment)}%` }} aria-hidden="true" />
      </button>
      <div class="caption">
        <span class="name" title={moment.path}>
          {name}
        </span>
        <span class="points" title={explanation(moment)}>
          {moment.score.toFixed(1)}
        </span>
        <button
          type="button"
          class={`mark ${isMarked(moment) ? 'on' : ''}`}
          aria-pressed={isMarked(moment)}
          aria-label={`Mark ${name} at ${clock(moment.t)}`}
          onClick={() => toggleMark(moment)}
        >
          {isMarked(moment) ? '★' : '☆'}
        </button>
      </div>
    </li>
  )
}

/** The frame with the patch outlined in it. Its place is kept while it loads. */
const Picture = ({ moment, seconds, hasBox }: { moment: Moment; seconds: number; hasBox: boolean }) => {
  const [isBroken, setBroken] = useState(false)
  const video = videosByFingerprint.value.get(moment.video)
  const ratio = video?.width && video.height ? video.width / video.height : 16 / 9
  const [x, y, w, h] = moment.box
  const isWhole = x <= 0 && y <= 0 && x + w >= 1 && y + h >= 1
  // The picture lies within 16:9, so the box is laid out in the part that it fills.
  const [fitW, fitH] = ratio >= 16 / 9 ? [1, 16 / 9 / ratio] : [ratio / (16 / 9), 1]
  const percent = (value: number): string => `${(100 * value).toFixed(2)}%`
  return (
    <span class="picture">
      {isBroken ? (
        <span class="broken">The file cannot be shown</span>
      ) : (
        <img
          src={frameUrl(moment.video, seconds, density.value > 340 ? 640 : 320)}
          alt=""
          loading="lazy"
          decoding="async"
          onError={() => setBroken(true)}
        />
      )}
      {hasBox && !isWhole && !isBroken ? (
        <span
          class="box"
          style={{
            left: percent((1 - fitW) / 2 + x * fitW),
            top: percent((1 - fitH) / 2 + y * fitH),
            width: percent(w * fitW),
            height: percent(h * fitH),
          }}
        />
      ) : null}
    </span>
  )
}

/** Asks for more when it comes into view. */
const End = () => {
  const element = useRef<HTMLDivElement>(null)
  const count = moments.value.length
  // Watched anew for each length, so that it asks again while it stays in view.
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => entry?.isIntersecting && more(), { rootMargin: '600px' })
    if (element.current) watch.observe(element.current)
    return () => watch.disconnect()
  }, [count])
  return (
    <div ref={element} class="end" role="status">
      {isSearching.value ? 'Looking for more …' : isAll.value ? `That is all: ${count} moments.` : ''}
    </div>
  )
}

const Waiting = () => (
  <ol class="grid" style={{ '--cell': `${density.value}px` }} aria-label="Searching">
    {Array.from({ length: 8 }, (_, i) => (
      <li key={i} class="ghost" aria-hidden="true" />
    ))}
  </ol>
)

const Nothing = () => (
  <div class="message" role="status">
    <h2>Nothing here looks like “{search.value.q}”</h2>
    {bestScore.value === null ? (
      <p>No video fits these filters.</p>
    ) : (
      <p>
        The best score was {bestScore.value.toFixed(1)} ({model.value}).
      </p>
    )}
  </div>
)
