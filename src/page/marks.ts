import { signal } from '@preact/signals'
import { clipStretches, type exportFormats, exportStretches, type Moment, type Stretch } from './api.ts'
import { kept } from './kept.ts'
import { composed } from './query.ts'
import { search } from './state.ts'

/** Moments that were marked to be taken along, in the order of marking. */
export type Marked = Stretch & { readonly path: string }

export const marked = kept<readonly Marked[]>('marked', [])

const isSame = (a: Pick<Moment, 'video' | 't'>, b: Pick<Moment, 'video' | 't'>): boolean =>
  a.video === b.video && a.t === b.t

export const isMarked = (moment: Pick<Moment, 'video' | 't'>): boolean =>
  marked.value.some((each) => isSame(each, moment))

/** Marks a moment or takes the mark away; with in and out points it is always marked, by these. */
export const toggleMark = (moment: Moment, range?: { readonly from: number; readonly to: number }): void => {
  const { video, path, t, from, to, score } = moment
  const others = marked.value.filter((each) => !isSame(each, moment))
  if (isMarked(moment) && !range) {
    marked.value = others
    return
  }
  const name = composed(search.value).trim() || 'vidgrep'
  marked.value = [...others, { video, path, t, from: range?.from ?? from, to: range?.to ?? to, score, name }]
}

export const unmark = (mark: Marked): void => {
  marked.value = marked.value.filter((each) => each !== mark)
}

/** What is being made of the marks, and what went wrong with it. */
export const making = signal<string | undefined>(undefined)
export const makingError = signal<string | undefined>(undefined)

export const takeAway = async (what: 'clips' | (typeof exportFormats)[number]): Promise<void> => {
  making.value = what
  makingError.value = undefined
  const stretches = marked.value.map(({ video, t, from, to, name, score }) => ({ video, t, from, to, name, score }))
  const { collection } = search.value
  try {
    if (what === 'clips') save('clips.zip', await clipStretches(stretches, collection))
    else save(`moments.${what}`, await exportStretches(what, stretches, collection))
  } catch (error) {
    makingError.value = (error as Error).message
  }
  making.value = undefined
}

const save = (name: string, content: Blob): void => {
  const url = URL.createObjectURL(content)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
