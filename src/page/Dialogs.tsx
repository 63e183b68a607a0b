import { useEffect, useRef } from 'preact/hooks'
import { frameUrl } from './api.ts'
import { clock, exactClock, nameOf } from './format.ts'
import { shortcuts } from './keys.ts'
import { closeDialogs, isHelpOpen, isMarksOpen, type Marked, marked } from './state.ts'

const Dialog = ({
  title,
  isOpen,
  children,
}: {
  title: string
  isOpen: boolean
  children: preact.ComponentChildren
}) => {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (isOpen) element.current?.showModal()
    else element.current?.close()
  }, [isOpen])
  return (
    <dialog ref={element} aria-label={title} onClose={closeDialogs}>
      <div class="top">
        <h2>{title}</h2>
        <button type="button" class="quiet" onClick={closeDialogs} aria-label="Close">
          ✕
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
    {marked.value.length === 0 ? (
      <p>Mark moments with ★ or M, and take them along from here.</p>
    ) : (
      <>
        <ol class="marks">
          {marked.value.map((mark) => (
            <li key={`${mark.video}@${mark.t}`}>
              <img src={frameUrl(mark.video, mark.t, 160)} alt="" width="96" height="54" />
              <span>
                <b>{nameOf(mark.path)}</b>
                <br />
                {exactClock(mark.from)} – {exactClock(mark.to)}
              </span>
              <button
                type="button"
                class="quiet"
                aria-label={`Take out ${nameOf(mark.path)} at ${clock(mark.t)}`}
                onClick={() => (marked.value = marked.value.filter((each) => each !== mark))}
              >
                ✕
              </button>
            </li>
          ))}
        </ol>
        <div class="actions">
          <button type="button" onClick={() => save('moments.csv', 'text/csv', toCsv(marked.value))}>
            CSV
          </button>
          <button
            type="button"
            onClick={() => save('moments.json', 'application/json', JSON.stringify(marked.value, null, 2))}
          >
            JSON
          </button>
          <button type="button" class="quiet" onClick={() => (marked.value = [])}>
            Clear
          </button>
        </div>
      </>
    )}
  </Dialog>
)

const toCsv = (marks: readonly Marked[]): string => {
  const rows = marks.map(({ path, t, from, to, score }) => [path, t, from, to, score])
  return [['path', 't', 'from', 'to', 'score'], ...rows].map((row) => row.map(csvCell).join(',')).join('\r\n')
}

/** A cell that a spreadsheet would take for a formula is made text. */
const csvCell = (value: string | number): string => {
  if (typeof value === 'number') return value.toFixed(3)
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const save = (name: string, type: string, text: string): void => {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
