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
} as const

export const Icon = ({ name }: { name: keyof typeof paths }) => (
  <svg class={`icon ${name}`} viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
)
