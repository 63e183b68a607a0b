/** Drawn on 24 × 24, as strokes in the colour of the text. */
const paths = {
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM20 20l-4-4',
  image: 'M4 5h16v14H4ZM4 16l5-5 5 5 2-2 4 4M15.5 9.5h.01',
  star: 'm12 4 2.5 5.2 5.5.8-4 4 1 5.7-5-2.8-5 2.8 1-5.7-4-4 5.5-.8Z',
  more: 'M12 5v14M5 12h14',
  less: 'M5 12h14',
  close: 'm6 6 12 12M18 6 6 18',
  keys: 'M3 7h18v10H3ZM7 11h.01M11 11h.01M15 11h.01M8 14h8',
  folder: 'M3 7h6l2 2h10v9H3Z',
  up: 'M12 19V6M6 12l6-6 6 6',
  play: 'm7 5 12 7-12 7Z',
  pause: 'M8 5v14M16 5v14',
  back: 'M7 5v14M18 6l-8 6 8 6Z',
  on: 'M17 5v14M6 6l8 6-8 6Z',
  sound: 'M4 10v4h3l5 4V6L7 10ZM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11',
  muted: 'M4 10v4h3l5 4V6L7 10ZM16 9.5l5 5M21 9.5l-5 5',
  full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
} as const

export type IconName = keyof typeof paths

export const Icon = ({ name }: { name: IconName }) => (
  <svg class={`icon ${name}`} viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
)
