import { useEffect, useState } from 'preact/hooks'
import { clipUrl, frameUrl, type Moment, previewUrl, streamUrl } from './api.ts'
import { clock, exactClock, explanation, nameOf, stepsOf } from './format.ts'
import { Icon, type IconName } from './Icon.tsx'
import { isMarked, toggleMark } from './marks.ts'
import { previewSeconds, usePlayback } from './playback.ts'
import { hasQuestion, toCommand } from './query.ts'
import { judge, likenessOf, type Opened, playing, search, videosByFingerprint } from './state.ts'
import { Timeline } from './Timeline.tsx'

/** What the keys do to the player; `undefined` while none is open. */
export let controls:
  | { seek(by: number): void; step(frames: number): void; toggle(): void; markIn(): void; markOut(): void }
  | undefined

export const Player = ({ moment }: { moment: Opened }) => {
  const playback = usePlayback(moment)
  const { now, duration, at, seekTo } = playback
  const [range, setRange] = useState<{ from?: number; to?: number }>({})
  const info = videosByFingerprint.value.get(moment.video)
  useEffect(() => setRange({}), [moment])
  useEffect(() => {
    controls = {
      seek: (by) => seekTo(at() + by),
      step: (frames) => void playback.step(frames),
      toggle: playback.toggle,
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
      <Stage moment={moment} playback={playback} />
      <Timeline moment={moment} now={now} duration={duration} range={range} onSeek={seekTo} />
      <p class="facts">
        {moment.hits > 0 ? <span title={explanation(moment)}>Score {moment.score.toFixed(1)} · </span> : null}
        {info?.width ? `${info.width}×${info.height}` : ''}
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
          <>
            <button type="button" onClick={() => judge(likenessOf(moment), 'like')}>
              More like this
            </button>
            <button type="button" onClick={() => judge(likenessOf(moment), 'unlike')}>
              Less like this
            </button>
          </>
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

type StageProps = { readonly moment: Opened; readonly playback: ReturnType<typeof usePlayback> }

/** The picture, and what moves it. */
const Stage = ({ moment, playback }: StageProps) => {
  const { element, source, offset, now, duration, isPlaying, volume } = playback
  const { video } = moment
  if (source.kind === 'gone') {
    return (
      <div class="stage gone" role="alert">
        <b>{source.message}</b>
        <p>{source.remedy}</p>
      </div>
    )
  }
  if (source.kind === 'picture') {
    return (
      <div class="stage">
        <img src={frameUrl(video, now, 1280)} alt="" />
        <p class="note">This browser cannot play the file; here is its picture.</p>
      </div>
    )
  }
  const isFile = source.kind === 'file'
  const src = isFile
    ? streamUrl(video)
    : previewUrl(video, offset, Math.min(offset + previewSeconds, duration || Infinity))
  return (
    <>
      <video
        key={`${video} ${source.kind} ${offset}`}
        ref={element}
        class="stage"
        src={src}
        poster={frameUrl(video, moment.at ?? moment.t, 320)}
        playsInline
        preload="auto"
        onClick={playback.toggle}
        {...playback.events}
      />
      {isFile ? null : <p class="note">Made over for this browser, which cannot play the file.</p>}
      <div class="transport">
        <Control icon="back" label="A frame back (,)" onClick={() => void playback.step(-1)} />
        <Control
          icon={isPlaying ? 'pause' : 'play'}
          label={isPlaying ? 'Pause (K)' : 'Play (K)'}
          onClick={playback.toggle}
        />
        <Control icon="on" label="A frame on (.)" onClick={() => void playback.step(1)} />
        <p class="clock">
          <b>{exactClock(now)}</b>
          {duration > 0 ? ` of ${exactClock(duration)}` : ''}
        </p>
        <Control
          icon={volume === 0 ? 'muted' : 'sound'}
          label={volume === 0 ? 'Sound on' : 'Sound off'}
          onClick={playback.mute}
        />
        <input
          type="range"
          class="volume"
          min="0"
          max="1"
          step="0.05"
          value={volume}
          aria-label="Volume"
          aria-valuetext={`${Math.round(100 * volume)} %`}
          onInput={({ currentTarget }) => playback.setVolume(Number(currentTarget.value))}
        />
        <Control icon="full" label="Full screen" onClick={() => void element.current?.requestFullscreen()} />
      </div>
    </>
  )
}

type ControlProps = { readonly icon: IconName; readonly label: string; onClick(): void }

const Control = ({ icon, label, onClick }: ControlProps) => (
  <button type="button" class="quiet round" onClick={onClick} aria-label={label} title={label}>
    <Icon name={icon} />
  </button>
)

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
