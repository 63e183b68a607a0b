import { toggleMark } from './marks.ts'
import { controls } from './Player.tsx'
import { closePanels, isHelpOpen } from './panels.ts'
import { chosen, commit, moments, playing } from './state.ts'

/** Every key that the page knows, as `?` shows them. */
export const shortcuts: readonly (readonly [string, string])[] = [
  ['/', 'search'],
  ['← → ↑ ↓', 'choose a moment'],
  ['Enter', 'open it'],
  ['Esc', 'close, then clear the choice'],
  ['Space or K', 'play and pause'],
  ['J  L', 'five seconds back and on'],
  [',  .', 'a frame back and on'],
  ['I  O', 'mark where the cut begins and ends'],
  ['M', 'mark the moment'],
  ['?', 'this list'],
]

export const handleKey = (event: KeyboardEvent, bar: HTMLInputElement | null): void => {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const { target, key } = event
  const isTyping = target instanceof HTMLInputElement && target.type !== 'range' && target.type !== 'checkbox'
  if (key === 'Escape') {
    leave(bar)
    return
  }
  if (isTyping) {
    if (key !== 'ArrowDown' && key !== 'Enter') return
    if (target !== bar || moments.value.length === 0) return
    event.preventDefault()
    if (key === 'Enter') commit()
    bar?.blur()
    choose(Math.max(0, chosen.value))
    return
  }
  // With the mouse, places in the video are chosen without taking the arrows away from the moments.
  const isSliding = target instanceof HTMLInputElement && target.type === 'range' && target.matches(':focus-visible')
  if (isSliding && key.startsWith('Arrow')) return
  const action = actions[key.length === 1 ? key.toLowerCase() : key]
  // A focused button does what Enter and Space say of it.
  if (!action || (target instanceof HTMLButtonElement && (key === 'Enter' || key === ' '))) return
  event.preventDefault()
  action(bar)
}

const choose = (place: number): void => {
  if (moments.value.length === 0) return
  chosen.value = Math.max(0, Math.min(moments.value.length - 1, place))
  if (playing.value) playing.value = moments.value[chosen.value]
}

/** Moments side by side in the grid as it is laid out now. */
const columns = (): number => {
  const grid = document.querySelector('.grid')
  return grid ? getComputedStyle(grid).gridTemplateColumns.split(' ').length : 1
}

const open = (): void => {
  const moment = moments.value[chosen.value]
  if (moment) playing.value = moment
}

const actions: Readonly<Record<string, (bar: HTMLInputElement | null) => void>> = {
  '/': (bar) => bar?.select(),
  '?': () => {
    isHelpOpen.value = !isHelpOpen.value
  },
  ArrowRight: () => choose(chosen.value + 1),
  ArrowLeft: () => choose(chosen.value - 1),
  ArrowDown: () => choose(chosen.value < 0 ? 0 : chosen.value + columns()),
  ArrowUp: () => choose(chosen.value - columns()),
  Enter: open,
  ' ': () => (controls ? controls.toggle() : open()),
  k: () => controls?.toggle(),
  j: () => controls?.seek(-5),
  l: () => controls?.seek(5),
  ',': () => controls?.step(-1),
  '.': () => controls?.step(1),
  i: () => controls?.markIn(),
  o: () => controls?.markOut(),
  m: () => {
    const moment = playing.value ?? moments.value[chosen.value]
    if (moment) toggleMark(moment)
  },
}

const leave = (bar: HTMLInputElement | null): void => {
  if (closePanels()) return
  if (playing.value) playing.value = undefined
  else if (document.activeElement === bar) bar?.blur()
  else chosen.value = -1
}
