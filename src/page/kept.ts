import { effect, type Signal, signal } from '@preact/signals'

/** A signal that the browser keeps from one visit to the next. */
export const kept = <T>(key: string, initial: T): Signal<T> => {
  const read = (): T => {
    try {
      return JSON.parse(localStorage.getItem(`vidgrep.${key}`) ?? 'null') ?? initial
    } catch {
      return initial
    }
  }
  const value = signal<T>(read())
  effect(() => {
    const text = JSON.stringify(value.value)
    try {
      localStorage.setItem(`vidgrep.${key}`, text)
    } catch {
      // A browser that keeps nothing still searches.
    }
  })
  return value
}
