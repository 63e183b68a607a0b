import { useEffect, useRef, useState } from 'preact/hooks'
import { clipUrl, frameUrl, type Moment, previewUrl, streamUrl, whyAway } from './api.ts'
import { clock, exactClock, explanation, nameOf, stepsOf } from './format.ts'
import { Icon } from './Icon.tsx'
import { isMarked, toggleMark } from './marks.ts'
import { hasQuestion, toCommand } from './query.ts'
import { judge, likenessOf, type Opened, playing, search, videosByFingerprint } from './state.ts'
import { Timeline } from './Timeline.tsx'

/** What the keys do to the player; `undefined` while none is open. */
export let controls: { seek(by: number): void; toggle(): void; markIn(): void; markOut(): void } | undefined

/** How much of a file that the browser cannot play is made playable at once: from where it is wanted, as it cannot be sought in before it is all there. */
const previewSeconds = 60

/** The file itself; a stretch of it made over for the browser; a picture, where neither plays; or why there is nothing. */
type Source =
  | { readonly kind: 'file' }
  | { readonly kind: 'preview'; readonly from: number }
  | { readonly kind: 'picture' }
  | { readonly kind: 'gone'; readonly message: string; readonly remedy: string }

export const Player = ({ moment }: { moment: Opened }) => {
  const element = useRef<HTMLVideoElement>(null)
  const [source, setSource] = useState<Source>({ kind: 'file' })
  const [now, setNow] = useState(moment.at ?? moment.t)
  const [range, setRange] = useState<{ from?: number; to?: number }>({})
  const info = videosByFingerprint.value.get(moment.video)
  const duration = info?.durationSeconds ?? element.current?.duration ?? 0
  /** Where the element's own time begins in the video. */
  const offset = source.kind === 'preview' ? source.from : 0

  const seekTo = (seconds: number): void => {
    const at = Math.max(0, duration > 0 ? Math.min(seconds, duration) : seconds)
    const isOutside = source.kind === 'preview' && (at < source.from || at >= source.from + previewSeconds)
    if (isOutside) setSource({ kind: 'preview', from: at })
    else if (element.current && element.current.readyState > 0) element.current.currentTime = at - offset
    setNow(at)
  }

  useEffect(() => {
    setRange({})
    seekTo(moment.at ?? moment.t)
  }, [moment])
  useEffect(() => setSource({ kind: 'file' }), [moment.video])

  const doesNotPlay = async (): Promise<void> => {
    const away = await whyAway(moment.video)
    if (away) setSource({ kind: 'gone', message: away.message, remedy: away.remedy })
    else if (source.kind === 'file') setSource({ kind: 'preview', from: now })
    else setSource({ kind: 'picture' })
  }

  useEffect(() => {
    const at = () => (element.current ? element.current.currentTime + offset : now)
    controls = {
      seek: (by) => seekTo(at() + by),
      toggle: () => {
        const video = element.current
        if (video) void (video.paused ? video.play().catch(() => {}) : video.pause())
      },
      markIn: () => setRange((range) => ({ ...range, from: at() })),
      markOut: () => setRange((range) => ({ ...range, to: at() })),
    }
    return () => {
      controls = undefined
    }
  })

  const cut = cutOf(moment, range, now)
  return (
    <aside class="player" aria-label="Player">
      <div class="top">
        <h2 title={moment.path}>{nameOf(moment.path)}</h2>
        <button
          type="button"
          class="quiet round"
          onClick={() => {
            playing.value = undefined
          }}
          aria-label="Close the player"
          title="Close (Esc)"
        >
          <Icon name="close" />
        </button>
      </div>
      {source.kind === 'gone' ? (
        <div class="stage gone" role="alert">
          <b>{source.message}</b>
          <p>{source.remedy}</p>
        </div>
      ) : source.kind === 'picture' ? (
        <div class="stage">
          <img src={frameUrl(moment.video, now, 1280)} alt="" />
          <p class="note">This browser cannot play the file; here is its picture.</p>
        </div>
      ) : (
        // biome-ignore lint/a11y/useMediaCaption: footage has no captions
        <video
          key={`${moment.video} ${source.kind} ${offset}`}
          ref={element}
          class="stage"
          src={
            source.kind === 'file'
              ? streamUrl(moment.video)
              : previewUrl(moment.video, source.from, Math.min(source.from + previewSeconds, duration || Infinity))
          }
          poster={frameUrl(moment.video, moment.at ?? moment.t, 1280)}
          controls
          playsInline
          preload="auto"
          onLoadedMetadata={({ currentTarget }) => {
            if (now > offset) currentTarget.currentTime = now - offset
          }}
          onTimeUpdate={({ currentTarget }) => setNow(currentTarget.currentTime + offset)}
          onSeeked={({ currentTarget }) => setNow(currentTarget.currentTime + offset)}
          onError={() => void doesNotPlay()}
        />
      )}
      {source.kind === 'preview' ? <p class="note">Made over for this browser, which cannot play the file.</p> : null}
      <Timeline moment={moment} now={now} duration={duration} range={range} onSeek={seekTo} />
      <p class="facts">
        <b>{exactClock(now)}</b>
        {duration > 0 ? ` of ${exactClock(duration)}` : ''}
        {moment.hits > 0 ? <span title={explanation(moment)}> · score {moment.score.toFixed(1)}</span> : null}
        {info?.width ? ` · ${info.width}×${info.height}` : ''}
      </p>
      <p class="path">{moment.path}</p>
      <Steps moment={moment} onSeek={seekTo} />
      <Also moment={moment} />
      <div class="actions">
        <button
          type="button"
          class="main"
          onClick={() => toggleMark(moment, range.from === undefined ? undefined : cut)}
        >
          <Icon name="star" /> {isMarked(moment) ? 'Marked' : 'Mark'}
          {range.from === undefined ? '' : ` ${exactClock(cut.from)} – ${exactClock(cut.to)}`}
        </button>
        {hasQuestion(search.value) ? (
          <button type="button" onClick={() => judge(likenessOf(moment), 'like')}>
            More like this
          </button>
        ) : (
          <button type="button" onClick={() => judge(likenessOf({ ...moment, t: now, box: [0, 0, 1, 1] }), 'like')}>
            Find what looks like this
          </button>
        )}
        <Copy text={exactClock(now)} label="Copy time" />
        <Copy text={moment.path} label="Copy path" />
        <Copy text={toCommand(search.value, moment.path)} label="Copy command" />
        <a class="button" href={frameUrl(moment.video, now, 1920)} download={fileName(moment, now, 'jpg')}>
          Picture
        </a>
        <a class="button" href={clipUrl(moment.video, cut.from, cut.to)} download={fileName(moment, cut.from, 'mp4')}>
          Clip
        </a>
      </div>
    </aside>
  )
}

/** Of "A then B": where each of them is. */
const Steps = ({ moment, onSeek }: { moment: Moment; onSeek(seconds: number): void }) => {
  const steps = stepsOf(moment).filter(({ text }) => text !== undefined)
  if (steps.length === 0) return null
  return (
    <ol class="places" aria-label="One after the other">
      {steps.map(({ t, text }, i) => (
        <li key={t}>
          <button type="button" onClick={() => onSeek(t)}>
            <b class={`of-${i + 1}`}>{clock(t)}</b> {text}
          </button>
        </li>
      ))}
    </ol>
  )
}

/** Where else the same is to be seen. Another copy of this very file plays no differently. */
const Also = ({ moment: { video, also = [], ...moment } }: { moment: Moment }) => {
  if (also.length === 0) return null
  return (
    <div class="also-in">
      also in
      <ul class="places">
        {also.map((place) => (
          <li key={`${place.path}@${place.t}`} title={place.path}>
            {place.video === video && place.t === moment.t ? (
              place.path
            ) : (
              <button
                type="button"
                onClick={() => {
                  const { video, path, t } = place
                  playing.value = { ...moment, video, path, t, from: t, to: t, box: [0, 0, 1, 1], parts: undefined }
                }}
              >
                <b>{clock(place.t)}</b> {nameOf(place.path)}
              </button>
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}

/** In and out points, else the moment, at least a second of it. */
const cutOf = (moment: Moment, range: { readonly from?: number; readonly to?: number }, now: number) => {
  const from = range.from ?? moment.from
  const to = range.from === undefined ? moment.to : Math.max(range.from, range.to ?? now)
  return { from, to: to - from < 0.04 ? from + 1 : to }
}

const fileName = ({ path }: Moment, seconds: number, ending: string): string =>
  `${nameOf(path)} ${exactClock(seconds).replaceAll(':', '-')}.${ending}`

const Copy = ({ text, label }: { text: string; label: string }) => {
  const [isDone, setDone] = useState(false)
  const copy = async () => {
    await navigator.clipboard.writeText(text)
    setDone(true)
    window.setTimeout(() => setDone(false), 1200)
  }
  return (
    <button type="button" onClick={() => void copy()}>
      {isDone ? 'Copied' : label}
    </button>
  )
}
