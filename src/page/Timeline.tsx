import { useEffect, useState } from 'preact/hooks'
import { type CurveAnswer, curveOf, frameUrl, type Moment, roughFrameUrl, type ScenesAnswer, scenesOf } from './api.ts'
import { clock, exactClock, explanation, plural, stepsOf } from './format.ts'
import { hasQuestion, quoted } from './query.ts'
import { answered, found, moments, playing, search } from './state.ts'

type TimelineProps = {
  readonly moment: Moment
  readonly now: number
  readonly duration: number
  readonly range: { readonly from?: number; readonly to?: number }
  onSeek(seconds: number): void
}

/** The whole video: how well each second fits the query, the moments, where what is seen changes, and where one is. */
export const Timeline = ({ moment, now, duration, range, onSeek }: TimelineProps) => {
  const curves = useCurves(moment.video)
  const scenes = useScenes(moment.video)
  const [peek, setPeek] = useState<number | undefined>(undefined)
  const whole = duration || curves[0]?.durationSeconds || 0
  const place = (seconds: number): string => `${whole > 0 ? Math.min(100, (100 * seconds) / whole) : 0}%`
  const here = moments.value.filter(({ video }) => video === moment.video)
  const look = ({ currentTarget, clientX, pointerType }: PointerEvent) => {
    if (pointerType !== 'mouse' || whole === 0) return
    const { left, width } = (currentTarget as HTMLElement).getBoundingClientRect()
    setPeek(whole * Math.max(0, Math.min(1, (clientX - left) / width)))
  }
  const others = curves.length === 1 ? curves[0]!.moments : here
  return (
    <section class="timeline" aria-label="The whole video">
      <div class="strip" onPointerMove={look} onPointerLeave={() => setPeek(undefined)}>
        {whole > 0 ? curves.map((curve, i) => <Heat key={i} curve={curve} duration={whole} isOver={i > 0} />) : null}
        {scenes.slice(1).map(({ from }) => (
          <span key={from} class="scene" style={{ left: place(from) }} />
        ))}
        {range.from !== undefined ? (
          <span
            class="cut"
            style={{ left: place(range.from), width: place(Math.max(0, (range.to ?? now) - range.from)) }}
          />
        ) : null}
        <span class="now" style={{ left: place(now) }} />
        <input
          type="range"
          min="0"
          max={whole || 1}
          step="0.04"
          value={now}
          aria-label="Place in the video"
          aria-valuetext={exactClock(now)}
          onInput={({ currentTarget }) => onSeek(Number(currentTarget.value))}
        />
        {peek === undefined ? null : <Peek video={moment.video} seconds={peek} whole={whole} />}
      </div>
      <div class="peaks">
        {others.map((other) => (
          <button
            key={other.t}
            type="button"
            class={`${other.t === moment.t ? 'on' : ''} ${other.likely ? '' : 'weak'}`}
            style={{ left: place(other.from), width: place(Math.max(0, other.to - other.from)) }}
            aria-label={`Moment from ${clock(other.from)} to ${clock(other.to)}`}
            title={`${clock(other.from)}–${clock(other.to)}. ${explanation(other)}`}
            onClick={() => {
              playing.value = { ...other, path: moment.path }
              onSeek(other.t)
            }}
          />
        ))}
      </div>
      {scenes.length > 1 ? <Storyboard video={moment.video} scenes={scenes} now={now} onSeek={onSeek} /> : null}
    </section>
  )
}

/** Pictures along a video: more would lie less than three pixels apart. */
const peeks = 200

/** Seconds that a picture may be off: as far as sampled frames lie apart in the longest time lapses. */
const peekWithin = 30

/** What is seen where the pointer is. The next picture is asked for when this one is here, so that none piles up. */
const Peek = ({ video, seconds, whole }: { video: string; seconds: number; whole: number }) => {
  const step = whole / peeks
  const wanted = roughFrameUrl(video, Math.round(seconds / step) * step, peekWithin)
  const [shown, setShown] = useState(wanted)
  const [isHere, setHere] = useState(false)
  useEffect(() => {
    if (!isHere || shown === wanted) return
    setShown(wanted)
    setHere(false)
  }, [wanted, isHere])
  const here = () => setHere(true)
  return (
    <span class="peek" style={{ '--at': `${(100 * seconds) / whole}%` }} aria-hidden="true">
      <img src={shown} alt="" onLoad={here} onError={here} />
      <span class="time">{clock(seconds)}</span>
    </span>
  )
}

type Scene = ScenesAnswer['scenes'][number]

type StoryboardProps = {
  readonly video: string
  readonly scenes: readonly Scene[]
  readonly now: number
  onSeek(seconds: number): void
}

/** A picture of each scene. */
const Storyboard = ({ video, scenes, now, onSeek }: StoryboardProps) => {
  const [isOpen, setOpen] = useState(false)
  const shown = isOpen ? scenes : []
  return (
    <details class="scenes" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{plural(scenes.length, 'scene')}</summary>
      <ol>
        {shown.map(({ from, to, t }) => (
          <li key={from}>
            <button
              type="button"
              class={from <= now && now < to ? 'on' : ''}
              aria-label={`Scene from ${clock(from)} to ${clock(to)}`}
              onClick={() => onSeek(from)}
            >
              <img src={frameUrl(video, t, 160)} alt="" loading="lazy" decoding="async" />
              <span class="time">{clock(from)}</span>
            </button>
          </li>
        ))}
      </ol>
    </details>
  )
}

/** What is asked of each step of "A then B". */
const stepQueries = (moment: Moment): readonly string[] =>
  stepsOf(moment).map((_, step) =>
    (moment.parts ?? [])
      .filter((part) => part.step === step)
      .map(({ text }) => quoted(text))
      .join(' + '),
  )

/** Most of the answer's curve, and where likely begins. The height says what the colour does, for who cannot tell them. */
const Heat = ({ curve, duration, isOver }: { curve: CurveAnswer; duration: number; isOver: boolean }) => {
  const { points, cutoff } = curve
  if (points.length === 0) return null
  const scores = points.map(({ score }) => score)
  const least = Math.min(curve.background ?? Number.POSITIVE_INFINITY, ...scores)
  const most = Math.max(...scores, (cutoff ?? least) + 1)
  const y = (score: number): number => 100 - (96 * (score - least)) / Math.max(1e-6, most - least)
  const x = (seconds: number): number => (1000 * seconds) / duration
  // A score stands until the next frame was sampled.
  const ends = points.map(({ until }, i) => points[i + 1]?.t ?? Math.max(until, duration))
  const line = points.map(({ t, score }, i) => `L${x(t)} ${y(score)}H${x(ends[i]!)}`).join('')
  return (
    <>
      <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
        <path class={`heat ${isOver ? 'second' : ''}`} d={`M${x(points[0]!.t)} 100${line}V100Z`} />
        {cutoff === null ? null : <path class="cutoff" d={`M0 ${y(cutoff)}H1000`} />}
      </svg>
      {cutoff === null || isOver ? null : (
        <span class="likely" style={{ bottom: `${100 - y(cutoff)}%` }} aria-hidden="true">
          likely
        </span>
      )}
    </>
  )
}

/**
 * Follows the search that is answered; the old curves stay until the new ones are here.
 * @returns one, or of "A then B" one for each step
 */
const useCurves = (video: string): readonly CurveAnswer[] => {
  const [curves, setCurves] = useState<readonly CurveAnswer[]>([])
  const asked = answered.value
  useEffect(() => {
    if (!hasQuestion(asked) || !hasQuestion(search.value)) return setCurves([])
    const stop = new AbortController()
    setCurves((now) => (now[0]?.video === video ? now : []))
    const steps = found.value[0] ? stepQueries(found.value[0]) : []
    const queries = steps.length > 1 ? steps.map((q) => ({ ...asked, q, next: '', without: '' })) : [asked]
    Promise.all(queries.map((query) => curveOf(query, video, stop.signal))).then(setCurves, () => {})
    return () => stop.abort()
  }, [asked, video, search.value.q === ''])
  return curves
}

/** A video without whole frames has none. */
const useScenes = (video: string): readonly Scene[] => {
  const [scenes, setScenes] = useState<readonly Scene[]>([])
  useEffect(() => {
    const stop = new AbortController()
    setScenes([])
    scenesOf(video, search.value.collection, stop.signal).then(
      (answer) => setScenes(answer.scenes),
      () => {},
    )
    return () => stop.abort()
  }, [video])
  return scenes
}
