import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { clock } from './format.ts'
import { collections, health } from './live.ts'
import { openChip } from './panels.ts'
import { change, cutoff, density, found, isGrouped, more, search, startOver, videos } from './state.ts'

export const Filters = () => {
  const { next, without, path, after, before, longer, shorter, since, until, likely, threshold, collection } =
    search.value
  return (
    <div class="filters">
      <Box label="without" value={without} placeholder="people, text" onChange={(text) => change({ without: text })} />
      <Box label="then" value={next} placeholder="what comes next" onChange={(text) => change({ next: text })} />
      <Chip
        name="Where"
        value={path.length === 0 ? undefined : path.length === 1 ? path[0] : `${path.length} places`}
        clear={() => change({ path: [] }, { now: true })}
      >
        <Where />
      </Chip>
      <Chip
        name="Time in video"
        value={between(after, before, clock)}
        clear={() => change({ after: undefined, before: undefined }, { now: true })}
      >
        <Seconds label="from second" value={after} onChange={(value) => change({ after: value })} />
        <Seconds label="to second" value={before} onChange={(value) => change({ before: value })} />
      </Chip>
      <Chip
        name="Length"
        value={between(longer, shorter, clock)}
        clear={() => change({ longer: undefined, shorter: undefined }, { now: true })}
      >
        <Seconds label="at least seconds" value={longer} onChange={(value) => change({ longer: value })} />
        <Seconds label="at most seconds" value={shorter} onChange={(value) => change({ shorter: value })} />
      </Chip>
      <Chip
        name="Recorded"
        value={between(since, until, String)}
        clear={() => change({ since: undefined, until: undefined }, { now: true })}
      >
        <Day label="from" value={since} onChange={(value) => change({ since: value })} />
        <Day label="before" value={until} onChange={(value) => change({ until: value })} />
      </Chip>
      <Chip
        name="Score"
        value={threshold === undefined ? undefined : `≥ ${threshold.toFixed(1)}`}
        clear={() => change({ threshold: undefined })}
      >
        <Scores />
      </Chip>
      {collections.value.length > 1 ? (
        <label>
          Collection
          <select
            value={collection ?? health.value?.collection}
            onChange={({ currentTarget }) => {
              startOver({ ...search.value, collection: currentTarget.value })
              location.reload()
            }}
          >
            {collections.value.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      ) : null}
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
          onChange={({ currentTarget }) => {
            isGrouped.value = currentTarget.checked
          }}
        />
        by video
      </label>
      <label class="density">
        Size
        <input
          class="size"
          type="range"
          min="140"
          max="520"
          step="20"
          value={density.value}
          onInput={({ currentTarget }) => {
            density.value = Number(currentTarget.value)
          }}
        />
      </label>
    </div>
  )
}

const between = <T extends number | string>(
  from: T | undefined,
  to: T | undefined,
  show: (value: T) => string,
): string | undefined => {
  if (from === undefined && to === undefined) return undefined
  return from === undefined
    ? `to ${show(to!)}`
    : to === undefined
      ? `from ${show(from)}`
      : `${show(from)} – ${show(to)}`
}

/** A filter: what it is set to, and a panel to set it. */
const Chip = ({
  name,
  value,
  clear,
  children,
}: {
  name: string
  value: string | undefined
  clear(): void
  children: ComponentChildren
}) => {
  const element = useRef<HTMLDivElement>(null)
  const isOpen = openChip.value === name
  useEffect(() => {
    if (!isOpen) return
    element.current?.querySelector<HTMLElement>('.panel input')?.focus()
    const leave = ({ target }: PointerEvent) => {
      if (!element.current?.contains(target as Node)) openChip.value = undefined
    }
    window.addEventListener('pointerdown', leave)
    return () => window.removeEventListener('pointerdown', leave)
  }, [isOpen])
  return (
    <div class={`chip ${value === undefined ? '' : 'on'}`} ref={element}>
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => {
          openChip.value = isOpen ? undefined : name
        }}
      >
        {name}
        {value === undefined ? '' : `: ${value}`}
      </button>
      {value === undefined ? null : (
        <button type="button" class="clear" onClick={clear} aria-label={`Any ${name.toLowerCase()}`}>
          ✕
        </button>
      )}
      {isOpen ? (
        <fieldset class="panel">
          <legend>{name}</legend>
          {children}
        </fieldset>
      ) : null}
    </div>
  )
}

const Box = ({
  label,
  value,
  placeholder,
  onChange,
}: {
  label: string
  value: string | undefined
  placeholder: string
  onChange(text: string | undefined): void
}) => (
  <label class={`box-label ${value ? 'on' : ''}`}>
    {label}
    <input
      type="text"
      value={value ?? ''}
      placeholder={placeholder}
      maxLength={200}
      spellcheck={false}
      onInput={({ currentTarget }) => onChange(currentTarget.value || undefined)}
    />
  </label>
)

const mostPlaces = 400

/** A glob, with the collection's folders and videos to choose from. */
const Where = () => {
  const paths = videos.value?.flatMap(({ paths }) => paths) ?? []
  const folders = [...new Set(paths.map((path) => `${path.slice(0, path.lastIndexOf('/') + 1)}**`))]
  return (
    <label>
      folder or file
      <input
        type="text"
        list="places"
        placeholder="holiday/** or *.mov"
        value={search.value.path[0] ?? ''}
        onInput={({ currentTarget }) =>
          change({ path: currentTarget.value.trim() ? [currentTarget.value.trim()] : [] })
        }
      />
      <datalist id="places">
        {[...folders, ...paths].slice(0, mostPlaces).map((place) => (
          <option key={place} value={place} />
        ))}
      </datalist>
    </label>
  )
}

const Seconds = ({ label, value, onChange }: { label: string; value?: number; onChange(value?: number): void }) => (
  <label>
    {label}
    <input
      type="number"
      min="0"
      step="any"
      value={value ?? ''}
      onInput={({ currentTarget }) => onChange(currentTarget.value === '' ? undefined : Number(currentTarget.value))}
    />
  </label>
)

const Day = ({ label, value, onChange }: { label: string; value?: string; onChange(value?: string): void }) => (
  <label>
    {label}
    <input
      type="date"
      value={value ?? ''}
      onInput={({ currentTarget }) => onChange(currentTarget.value || undefined)}
    />
  </label>
)

const bins = 28
/** Moments that the histogram looks at. */
const counted = 120

/** The minimum score, over how many moments have which. */
const Scores = () => {
  useEffect(() => more(counted), [])
  const scores = found.value.map(({ score }) => score)
  if (scores.length < 2) return <p>Nothing to choose from.</p>
  const [least, most] = [Math.floor(Math.min(...scores)), Math.ceil(Math.max(...scores))]
  const counts = Array.from({ length: bins }, () => 0)
  for (const score of scores) counts[Math.min(bins - 1, Math.floor((bins * (score - least)) / (most - least)))]! += 1
  const highest = Math.max(...counts)
  const value = search.value.threshold ?? least
  const place = (score: number): number => (100 * (score - least)) / (most - least)
  return (
    <div class="histogram">
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
        {counts.map((count, i) => (
          <rect
            key={i}
            class={least + ((i + 1) * (most - least)) / bins > value ? 'in' : ''}
            x={(100 * i) / bins + 0.4}
            width={100 / bins - 0.8}
            y={40 - (38 * count) / highest}
            height={(38 * count) / highest}
          />
        ))}
        {cutoff.value === null ? null : <path d={`M${place(cutoff.value)} 0V40`} />}
      </svg>
      <input
        class="level"
        type="range"
        aria-label="Minimum score"
        min={least}
        max={most}
        step="0.1"
        value={value}
        onInput={({ currentTarget }) => {
          const score = Number(currentTarget.value)
          change({ threshold: score <= least ? undefined : score })
        }}
      />
      <p>
        {scores.filter((score) => score >= value).length} of {scores.length}
        {cutoff.value === null ? '' : `, likely from ${cutoff.value.toFixed(1)}`}
      </p>
    </div>
  )
}
