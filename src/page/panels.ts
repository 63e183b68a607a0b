import { signal } from '@preact/signals'

/* What lies open above the page. */

export const isHelpOpen = signal(false)
export const isMarksOpen = signal(false)
export const isIndexingOpen = signal(false)
/** The one filter whose panel is open. */
export const openChip = signal<string | undefined>(undefined)

export const closeDialogs = (): void => {
  for (const each of [isHelpOpen, isMarksOpen, isIndexingOpen]) each.value = false
}

/** @returns whether something was open */
export const closePanels = (): boolean => {
  const wasOpen = isHelpOpen.value || isMarksOpen.value || isIndexingOpen.value || openChip.value !== undefined
  closeDialogs()
  openChip.value = undefined
  return wasOpen
}
