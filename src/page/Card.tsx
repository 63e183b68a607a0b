import { useState } from 'preact/hooks'
import type { Moment } from './api.ts'
import { clock, explanation, nameOf, type Step, stepsOf, strength } from './format.ts'
import { Icon } from './Icon.tsx'
import { isMarked, toggleMark } from './marks.ts'
import { Picture } from './Picture.tsx'
import { chosen, judge, likenessOf, playing, search } from './state.ts'

/** Seconds before and after a moment that the pointer scrubs through, and pictures in between. */
const scrubSeconds = 3
const scrubSteps = 12

/** One moment: its picture with the patch outlined, when and where it is, and what can be done with it. */
export const MomentCard = ({ moment, place, total }: { moment: Moment; place: number; total: number }) => {
  const name = nameOf(moment.path)
  const shown = stepsOf(moment)
  return (
    <li class={`card ${chosen.value === place ? 'chosen' : ''}`} aria-setsize={total} aria-posinset={place + 1}>
      <div class="pictures">
        {shown.map((step, i) => (
          <Shown key={i} moment={moment} step={step} place={place} beside={shown.length} />
        ))}
        <span class="score" style={{ '--score': `${strength(moment)}%` }} aria-hidden="true" />
      </div>
      <Actions moment={moment} where={`${name} at ${clock(moment.t)}`} />
      <div class="caption" title={explanation(moment)}>
        <span class="name" title={moment.path}>
          {name}
        </span>
        <Also moment={moment} />
        <span class="points">{moment.score.toFixed(1)}</span>
      </div>
    </li>
  )
}

type ShownProps = { readonly moment: Moment; readonly step: Step; readonly place: number; readonly beside: number }

/** The moment as it is seen at one of its steps; the pointer scrubs around it. */
const Shown = ({ moment, step, place, beside }: ShownProps) => {
  const [at, setAt] = useState<number | undefined>(undefined)
  const scrub = ({ currentTarget, clientX, pointerType }: PointerEvent) => {
    if (pointerType !== 'mouse') return
    const { left, width } = (currentTarget as HTMLElement).getBoundingClientRect()
    const position = Math.round(((clientX - left) / width) * scrubSteps)
    setAt(Math.max(0, step.t + ((position * 2) / scrubSteps - 1) * scrubSeconds))
  }
  const { video, path, score, likely } = moment
  const what = `${nameOf(path)} at ${clock(step.t)}${step.text ? `, ${step.text}` : ''}`
  return (
    <button
      type="button"
      class="open"
      aria-label={`${what}, score ${score.toFixed(0)}${likely ? '' : ', less likely'}`}
      title={step.text}
      onClick={() => {
        chosen.value = place
        playing.value = { ...moment, at: step.t }
      }}
      onPointerMove={scrub}
      onPointerLeave={() => setAt(undefined)}
    >
      {at === undefined ? (
        <Picture video={video} seconds={step.t} box={step.box} beside={beside} />
      ) : (
        <Picture video={video} seconds={at} within={0.5} beside={beside} />
      )}
      <span class="time">{clock(at ?? step.t)}</span>
    </button>
  )
}

const Also = ({ moment: { path: own, also = [] } }: { moment: Moment }) => {
  const [first] = also
  if (!first) return null
  return (
    <span class="also" title={also.map(({ path, t }) => `${path} at ${clock(t)}`).join('\n')}>
      {also.every(({ path }) => path === own)
        ? `also at ${also.length === 1 ? clock(first.t) : `${also.length} other times`}`
        : `also in ${also.length === 1 ? nameOf(first.path) : `${also.length} other places`}`}
    </span>
  )
}

const Actions = ({ moment, where }: { moment: Moment; where: string }) => {
  const likeness = likenessOf(moment)
  const { like, unlike } = search.value
  return (
    <div class={`tools ${isMarked(moment) ? 'marked' : ''}`}>
      <button
        type="button"
        class={like.includes(likeness) ? 'on' : ''}
        aria-pressed={like.includes(likeness)}
        aria-label={`More like ${where}`}
        title="More like this"
        onClick={() => judge(likeness, 'like')}
      >
        <Icon name="more" />
      </button>
      <button
        type="button"
        class={unlike.includes(likeness) ? 'on' : ''}
        aria-pressed={unlike.includes(likeness)}
        aria-label={`Less like ${where}`}
        title="Less like this"
        onClick={() => judge(likeness, 'unlike')}
      >
        <Icon name="less" />
      </button>
      <button
        type="button"
        class={`mark ${isMarked(moment) ? 'on' : ''}`}
        aria-pressed={isMarked(moment)}
        aria-label={`Mark ${where}`}
        title="Mark (M)"
        onClick={() => toggleMark(moment)}
      >
        <Icon name="star" />
      </button>
    </div>
  )
}
