import type { Schemas } from '@qdrant/js-client-rest'
import { Refusal } from './refusal.ts'

export type Stored = {
  readonly id: string
  readonly vector: Float32Array | undefined
  payload: Record<string, unknown>
}

/** Whether a point passes Qdrant's filter; the conditions known here are those that the store uses. */
export const matches = (point: Stored, filter: Schemas['Filter'] | null | undefined): boolean => {
  const { must, must_not, should, ...others } = filter ?? {}
  if (Object.keys(others).length > 0) throw new Refusal(501, `The stand-in knows no ${Object.keys(others)}`)
  const holds = (condition: unknown) => passes(point, condition as Schemas['Condition'])
  const any = listOf(should)
  return listOf(must).every(holds) && !listOf(must_not).some(holds) && (any.length === 0 || any.some(holds))
}

const listOf = (conditions: Schemas['Filter']['must']): readonly unknown[] =>
  conditions === undefined || conditions === null ? [] : Array.isArray(conditions) ? conditions : [conditions]

const passes = (point: Stored, condition: Schemas['Condition']): boolean => {
  if ('has_id' in condition) return (condition.has_id as unknown[]).includes(point.id)
  if ('is_empty' in condition)
    return valuesAt(point.payload, (condition as { is_empty: { key: string } }).is_empty.key).length === 0
  if ('must' in condition || 'must_not' in condition || 'should' in condition) return matches(point, condition)
  const { key, match, range } = condition as { key: string; match?: Match; range?: Schemas['Range'] }
  const values = valuesAt(point.payload, key)
  if (match && 'value' in match) return values.includes(match.value)
  if (match?.any) return values.some((value) => match.any!.includes(value))
  if (range) return values.some((value) => typeof value === 'number' && inRange(value, range))
  throw new Refusal(501, `The stand-in does not know ${JSON.stringify(condition)}`)
}

type Match = { readonly value?: unknown; readonly any?: readonly unknown[] }

const inRange = (value: number, { gt, gte, lt, lte }: Schemas['Range']): boolean =>
  (gt == null || value > gt) &&
  (gte == null || value >= gte) &&
  (lt == null || value < lt) &&
  (lte == null || value <= lte)

/** The values at a key such as `done.step`; those of a list one by one. */
const valuesAt = (payload: unknown, key: string): readonly unknown[] =>
  key
    .split('.')
    .reduce<unknown[]>(
      (values, part) => values.flatMap((value) => (value as Record<string, unknown>)[part] ?? []),
      [payload],
    )
