import { differenceOf, type Thumbnail } from '../patches/unchanged.ts'
import type { Point } from '../store/store.ts'

/** A point in the making: from the frame that it is encoded at up to the last one in which its patch looked the same. */
export type Span = Omit<Point, 'vector' | 'until'> & {
  until: number
  /** Of the frame at `t`: what comes later is held against what was encoded, so that a slow drift adds up. */
  readonly thumbnail: Thumbnail | undefined
  /** An earlier run wrote it already. */
  readonly isStored: boolean
  /** Once its batch is through the encoder. */
  vector?: Float32Array
}

/** The spans of one video that are not at their end: one a patch number at most. */
export type OpenSpans = {
  /** Whether patches are compared at all; if not, each is a span of its own. */
  readonly compares: boolean
  /** Whether the patch looks as it did when it was last encoded; then its span reaches to this time. */
  extend(patch: number, thumbnail: Thumbnail, timestampSeconds: number): boolean
  /** @returns the span that is at its end because of it */
  begin(span: Span): Span | undefined
  /** The video is over. @returns what was still open */
  end(): readonly Span[]
}

/** @param tolerance levels (0–255) that a patch may differ and still look the same */
export const openSpans = (tolerance: number): OpenSpans => {
  const open = new Map<number, Span>()
  return {
    compares: tolerance > 0,
    extend: (patch, thumbnail, timestampSeconds) => {
      const span = open.get(patch)
      if (!span?.thumbnail || differenceOf(span.thumbnail, thumbnail) >= tolerance) return false
      span.until = timestampSeconds
      return true
    },
    begin: (span) => {
      if (!span.thumbnail) return span
      const before = open.get(span.patch)
      open.set(span.patch, span)
      return before
    },
    end: () => {
      const spans = [...open.values()]
      open.clear()
      return spans
    },
  }
}
