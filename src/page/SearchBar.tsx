import type { RefObject } from 'preact'
import {
  change,
  commit,
  density,
  isGrouped,
  isHelpOpen,
  isMarksOpen,
  isSearching,
  marked,
  model,
  search,
} from './state.ts'

export const SearchBar = ({ input }: { input: RefObject<HTMLInputElement | null> }) => {
  const { q, path, after, before, likely } = search.value
  return (
    <header>
      <search>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            commit()
          }}
        >
          <button
            type="button"
            class="brand"
            onClick={() => change({ q: '', path: [] }, { now: true })}
            aria-label="vidgrep: all videos"
          >
            <img src="/icon.svg" alt="" width="28" height="28" />
          </button>
          <input
            ref={input}
            type="search"
            value={q}
            placeholder="What do you want to see?"
            aria-label="What do you want to see?"
            autocomplete="off"
            spellcheck={false}
            maxLength={1000}
            onInput={(event) => change({ q: event.currentTarget.value })}
          />
          <span class={`busy ${isSearching.value ? 'on' : ''}`} aria-hidden="true" />
          <button type="button" class="quiet" onClick={() => (isMarksOpen.value = true)} title="Marked moments">
            Marked <b>{marked.value.length}</b>
          </button>
          <button
            type="button"
            class="quiet"
            onClick={() => (isHelpOpen.value = true)}
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
          >
            ?
          </button>
        </form>
        {q.trim() === '' ? null : (
          <div class="filters">
            <label>
              In
              <input
                type="text"
                class="path"
                placeholder="any folder or file"
                value={path[0] ?? ''}
                onInput={({ currentTarget }) =>
                  change({ path: currentTarget.value.trim() ? [currentTarget.value.trim()] : [] })
                }
              />
            </label>
            <Seconds label="from" value={after} onChange={(value) => change({ after: value })} />
            <Seconds label="to" value={before} onChange={(value) => change({ before: value })} />
            <label>
              <input
                type="checkbox"
                checked={likely}
                onChange={({ currentTarget }) => change({ likely: currentTarget.checked }, { now: true })}
              />
              likely only
            </label>
            <label>
              <input
                type="checkbox"
                checked={isGrouped.value}
                onChange={(event) => (isGrouped.value = event.currentTarget.checked)}
              />
              by video
            </label>
            <label class="density">
              Size
              <input
                type="range"
                min="160"
                max="520"
                step="20"
                value={density.value}
                onInput={(event) => (density.value = Number(event.currentTarget.value))}
              />
            </label>
            {model.value.startsWith('starter') ? (
              <span class="hint" title="vidgrep models pull clip-vit-b-32 && vidgrep reindex --model clip-vit-b-32">
                starter model: CLIP finds far more
              </span>
            ) : null}
          </div>
        )}
      </search>
    </header>
  )
}

const Seconds = ({ label, value, onChange }: { label: string; value?: number; onChange(value?: number): void }) => (
  <label>
    {label}
    <input
      type="number"
      class="seconds"
      min="0"
      step="any"
      placeholder="s"
      value={value ?? ''}
      aria-label={`${label} second within the video`}
      onInput={({ currentTarget }) => onChange(currentTarget.value === '' ? undefined : Number(currentTarget.value))}
    />
  </label>
)
