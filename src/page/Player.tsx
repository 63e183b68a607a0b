import { useEffect, useRef, useState } from 'preact/hooks'
import { frameUrl, type Moment, streamUrl } from './api.ts'
import { clock, exactClock, explanation, nameOf, strength } from './format.ts'
import { isMarked, moments, playing, search, toggleMark, videosByFingerprint } from './state.ts'

/** What the keys do to the player; `undefined` while none is open. */
export let controls:
  | { seek(by: number): void; toggle(): void; speed(to: number): void; markIn(): void; markOut(): void }
  | undefined

export const Player = ({ moment }: { moment: Moment }) => {
  const element = useRef<HTMLVideoElement>(null)
  const [now, setNow] = useState(moment.t)
  const [range, setRange] = useState<{ from?: number; to?: number }>({})
  const [isBroken, setBroken] = useState(false)
  const info = videosByFingerprint.value.get(moment.video)
  const duration = info?.durationSeconds ?? element.current?.duration ?? 0

  useEffect(() => {
    setRange({})
    setBroken(false)
    setNow(moment.t)
    const video = element.current
    if (video && video.readyState > 0) video.currentTime = moment.t
  }, [moment])

  useEffect(() => {
    const video = element.current
    if (!video) return
    const at = () => video.currentTime
    controls = {
      seek: (by) => (video.currentTime = Math.max(0, at() + by)),
      toggle: () => void (video.paused ? video.play().catch(() => setBroken(true)) : video.pause()),
      speed: (to) => {
        video.playbackRate = to
        void video.play().catch(() => setBroken(true))
      },
      markIn: () => setRange((range) => ({ ...range, from: at() })),
      markOut: () => setRange((range) => ({ ...range, to: at() })),
    }
    return () => {
      controls = undefined
    }
  })

  const others = moments.value.filter(({ video }) => video === moment.video)
  const place = (seconds: number): string => `${duration > 0 ? Math.min(100, (100 * seconds) / duration) : 0}%`
  const command = `vidgrep search ${shellWord(search.value.q)} --path ${shellWord(moment.path)}`
  return (
    <aside class="player" aria-label="Player">
      <div class="top">
        <h2 title={moment.path}>{nameOf(moment.path)}</h2>
        <button
          type="button"
          class="quiet"
          onClick={() => (playing.value = undefined)}
          aria-label="Close the player"
          title="Close (Esc)"
        >
          ✕
        </button>
      </div>
      {isBroken ? (
        <div class="stage">
          <img src={frameUrl(moment.video, now, 1280)} alt="" />
          <p class="note">This browser cannot play the file; here is its picture.</p>
        </div>
      ) : (
        // biome-ignore lint/a11y/useMediaCaption: footage has no captions
        <video
          key={moment.video}
          ref={element}
          class="stage"
          src={streamUrl(moment.video)}
          poster={frameUrl(moment.video, moment.t, 1280)}
          controls
          playsInline
          preload="auto"
          onLoadedMetadata={({ currentTarget }) => (currentTarget.currentTime = moment.t)}
          onTimeUpdate={({ currentTarget }) => setNow(currentTarget.currentTime)}
          onSeeked={({ currentTarget }) => setNow(currentTarget.currentTime)}
          onError={() => setBroken(true)}
        />
      )}
      <section class="timeline" aria-label="The whole video">
        {others.map((other) => (
          <button
            key={other.t}
            type="button"
            class={other.t === moment.t ? 'peak on' : 'peak'}
            style={{
              left: place(other.from),
              width: place(other.to - other.from),
              '--score': `${Math.max(12, strength(other))}%`,
            }}
            aria-label={`Moment from ${clock(other.from)} to ${clock(other.to)}`}
            title={`${clock(other.from)}–${clock(other.to)}. ${explanation(other)}`}
            onClick={() => (playing.value = other)}
          />
        ))}
        {range.from !== undefined ? <span class="edge" style={{ left: place(range.from) }} /> : null}
        {range.to !== undefined ? <span class="edge" style={{ left: place(range.to) }} /> : null}
        <span class="now" style={{ left: place(now) }} />
      </section>
      <p class="facts">
        <b>{exactClock(now)}</b> of {clock(duration)}
        {moment.hits > 0 ? <span title={explanation(moment)}> · score {moment.score.toFixed(1)}</span> : null}
        {info?.width ? ` · ${info.width}×${info.height}` : ''}
      </p>
      <p class="path">{moment.path}</p>
      <div class="actions">
        <button
          type="button"
          onClick={() =>
            toggleMark(
              moment,
              range.from === undefined ? undefined : { from: range.from, to: Math.max(range.from, range.to ?? now) },
            )
          }
        >
          {isMarked(moment) ? '★ Marked' : '☆ Mark'}
          {range.from === undefined ? '' : ` ${clock(range.from)}–${clock(range.to ?? now)}`}
        </button>
        <Copy text={exactClock(now)} label="Copy time" />
        <Copy text={moment.path} label="Copy path" />
        <Copy text={command} label="Copy command" />
        <a
          class="button"
          href={frameUrl(moment.video, now, 1920)}
          download={`${nameOf(moment.path)} ${exactClock(now).replaceAll(':', '-')}.jpg`}
        >
          Picture
        </a>
      </div>
    </aside>
  )
}

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

/** As a POSIX shell takes it literally. */
const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
