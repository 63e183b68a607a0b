import { useState } from 'preact/hooks'
import { frameUrl, type Moment } from './api.ts'
import { clock, explanation, nameOf, strength } from './format.ts'
import { Icon } from './Icon.tsx'
import { isMarked, toggleMark } from './marks.ts'
import { chosen, density, judge, likenessOf, playing, search, videosByFingerprint } from './state.ts'

/** Seconds before and after a moment that the pointer scrubs through, and pictures in between. */
const scrubSeconds = 3
const scrubSteps = 12

/** One moment: its picture with the patch outlined, when and where it is, and what can be done with it. */
export const MomentCard = ({ moment, place, total }: { moment: Moment; place: number; total: number }) => {
  const [at, setAt] = useState<number | undefined>(undefined)
  const scrub = ({ currentTarget, clientX, pointerType }: PointerEvent) => {
    if (pointerType !== 'mouse') return
    const { left, width } = (currentTarget as HTMLElement).getBoundingClientRect()
    const step = Math.round(((clientX - left) / width) * scrubSteps)
    setAt(Math.max(0, moment.t + ((step * 2) / scrubSteps - 1) * scrubSeconds))
  }
  const shown = at ?? moment.t
  const name = nameOf(moment.path)
  const where = `${name} at ${clock(moment.t)}`
  return (
    <li class={`card ${chosen.value === place ? 'chosen' : ''}`} aria-setsize={total} aria-posinset={place + 1}>
      <button
        type="button"
        class="open"
        aria-label={`${where}, score ${moment.score.toFixed(0)}${moment.likely ? '' : ', less likely'}`}
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
      <Actions moment={moment} where={where} />
      <div class="caption" title={explanation(moment)}>
        <span class="name" title={moment.path}>
          {name}
        </span>
        <span class="points">{moment.score.toFixed(1)}</span>
      </div>
    </li>
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
