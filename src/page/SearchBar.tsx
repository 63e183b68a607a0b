import type { RefObject } from 'preact'
import { useRef } from 'preact/hooks'
import { likenessUrl } from './api.ts'
import { Filters } from './Filters.tsx'
import { Icon } from './Icon.tsx'
import { marked } from './marks.ts'
import { isHelpOpen, isMarksOpen } from './panels.ts'
import { hasQuestion } from './query.ts'
import { change, commit, isSearching, judge, search, searchByPicture, startOver } from './state.ts'

export const SearchBar = ({ input }: { input: RefObject<HTMLInputElement | null> }) => {
  const { q } = search.value
  return (
    <header>
      <h1 class="unseen">vidgrep</h1>
      <search>
        <form
          class="bar"
          onSubmit={(event) => {
            event.preventDefault()
            commit()
          }}
        >
          <button type="button" class="brand" onClick={() => startOver()} aria-label="vidgrep: all videos">
            <img src="/icon.svg" alt="" width="30" height="30" />
          </button>
          <div class="pill">
            <Icon name="search" />
            <Pictures />
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
            <ChoosePicture />
          </div>
          <button
            type="button"
            class="quiet"
            onClick={() => {
              isMarksOpen.value = true
            }}
            title="Marked moments"
          >
            <Icon name="star" /> <span class="wide">Marked </span>
            <b>{marked.value.length}</b>
          </button>
          <button
            type="button"
            class="quiet wide"
            onClick={() => {
              isHelpOpen.value = true
            }}
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
          >
            <Icon name="keys" />
          </button>
        </form>
        {hasQuestion(search.value) ? <Filters /> : null}
      </search>
    </header>
  )
}

/** The pictures that are searched by, those it should not look like struck through. */
const Pictures = () => {
  const { like, unlike } = search.value
  const all = [
    ...like.map((name) => ({ name, as: 'like' as const })),
    ...unlike.map((name) => ({ name, as: 'unlike' as const })),
  ]
  return all.map(({ name, as }) => (
    <button
      key={`${as} ${name}`}
      type="button"
      class={`likeness ${as}`}
      onClick={() => judge(name, as)}
      aria-label={
        as === 'like' ? 'Looks like this picture: take it out' : 'Does not look like this picture: take it out'
      }
      title={as === 'like' ? 'Looks like this. Click to take it out' : 'Does not look like this. Click to take it out'}
    >
      <img src={likenessUrl(name)} alt="" />
    </button>
  ))
}

const ChoosePicture = () => {
  const file = useRef<HTMLInputElement>(null)
  return (
    <>
      <button
        type="button"
        class="quiet round"
        onClick={() => file.current?.click()}
        aria-label="Search by a picture"
        title="Search by a picture: choose one, paste it or drop it anywhere"
      >
        <Icon name="image" />
      </button>
      <input
        ref={file}
        type="file"
        accept="image/*"
        hidden
        onChange={({ currentTarget }) => {
          const [picture] = currentTarget.files ?? []
          if (picture) void searchByPicture(picture)
          currentTarget.value = ''
        }}
      />
    </>
  )
}
