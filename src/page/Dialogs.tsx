import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { exportFormats, frameUrl } from './api.ts'
import { clock, exactClock, nameOf } from './format.ts'
import { Icon } from './Icon.tsx'
import { shortcuts } from './keys.ts'
import { making, makingError, marked, takeAway, unmark } from './marks.ts'
import { closeDialogs, isHelpOpen, isMarksOpen } from './panels.ts'

type DialogProps = { readonly title: string; readonly isOpen: boolean; readonly children: ComponentChildren }

export const Dialog = ({ title, isOpen, children }: DialogProps) => {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (isOpen) element.current?.showModal()
    else element.current?.close()
  }, [isOpen])
  return (
    <dialog ref={element} aria-label={title} onClose={closeDialogs}>
      <div class="top">
        <h2>{title}</h2>
        <button type="button" class="quiet round" onClick={closeDialogs} aria-label="Close">
          <Icon name="close" />
        </button>
      </div>
      {isOpen ? children : null}
    </dialog>
  )
}

export const Help = () => (
  <Dialog title="Keyboard" isOpen={isHelpOpen.value}>
    <dl class="keys">
      {shortcuts.map(([key, what]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  </Dialog>
)

/** The moments that were marked, to be taken along. */
export const Marks = () => (
  <Dialog title="Marked moments" isOpen={isMarksOpen.value}>
    {marked.value.length === 0 ? <p>Mark moments with the star or M, and take them along from here.</p> : <MarkList />}
  </Dialog>
)

const MarkList = () => (
  <>
    <ol class="marks">
      {marked.value.map((mark) => (
        <li key={`${mark.video}@${mark.t}`}>
          <img src={frameUrl(mark.video, mark.t, 160)} alt="" width="112" height="63" />
          <span>
            <b>{nameOf(mark.path)}</b>
            <br />
            {exactClock(mark.from)} – {exactClock(mark.to)}
          </span>
          <button
            type="button"
            class="quiet round"
            aria-label={`Take out ${nameOf(mark.path)} at ${clock(mark.t)}`}
            onClick={() => unmark(mark)}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ol>
    <div class="actions">
      <button type="button" class="main" disabled={making.value !== undefined} onClick={() => void takeAway('clips')}>
        {making.value === 'clips' ? 'Cutting …' : 'Clips (ZIP)'}
      </button>
      {exportFormats.map((format) => (
        <button key={format} type="button" disabled={making.value !== undefined} onClick={() => void takeAway(format)}>
          {format.toUpperCase()}
        </button>
      ))}
      <button
        type="button"
        class="quiet"
        onClick={() => {
          marked.value = []
        }}
      >
        Clear
      </button>
    </div>
    {makingError.value === undefined ? null : (
      <p class="aside" role="alert">
        {makingError.value}
      </p>
    )}
  </>
)
