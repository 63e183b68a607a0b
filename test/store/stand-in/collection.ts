import type { Schemas } from '@qdrant/js-client-rest'
import { matches, type Stored } from './filter.ts'
import { Refusal } from './refusal.ts'

/** A collection as it is kept. */
export type Kept = {
  readonly points: Map<string, Stored>
  readonly vectors: Partial<Schemas['VectorParams']>
  /** Field name → type. */
  readonly indexes: Map<string, unknown>
  quantization: unknown
  onDisk: boolean | undefined
  operations: number
}

export const newCollection = ({ vectors }: Schemas['CreateCollection']): Kept => ({
  points: new Map(),
  vectors: (vectors ?? {}) as Kept['vectors'],
  indexes: new Map(),
  quantization: null,
  onDisk: undefined,
  operations: 0,
})

/** What `PATCH /collections/{name}` changes. */
export const change = (kept: Kept, { vectors, ...body }: Schemas['UpdateCollection']): boolean => {
  const { on_disk } = (vectors as Schemas['VectorsConfigDiff'] | undefined)?.[''] ?? {}
  kept.quantization = body.quantization_config ?? kept.quantization
  kept.onDisk = on_disk ?? kept.onDisk
  return true
}

type Call = (collection: Kept, body: never, query: URLSearchParams) => unknown

/** Handlers by method and the path below the collection. */
export const pointCalls: Readonly<Record<string, Call>> = {
  'PUT index': (kept, { field_name, field_schema }: Schemas['CreateFieldIndex']) => {
    kept.indexes.set(field_name, field_schema)
    return updated(kept)
  },
  'PUT points': (kept, { points, update_mode, update_filter }: Schemas['PointsList']) => {
    if (points.length === 0) throw new Refusal(400, 'Bad request: Empty update request')
    for (const { id } of points) checkId(id)
    const vectors = points.map(({ vector }) => vectorFrom(vector, kept))
    for (const [i, { id, payload }] of points.entries()) {
      const known = kept.points.get(String(id))
      if (update_mode === (known ? 'insert_only' : 'update_only')) continue
      if (known && !matches(known, update_filter as Schemas['Filter'])) continue
      const copy = structuredClone(payload ?? {}) as Stored['payload']
      kept.points.set(String(id), { id: String(id), vector: vectors[i], payload: copy })
    }
    return updated(kept)
  },
  'POST points': (kept, { ids, with_payload, with_vector }: Schemas['PointRequest']): Schemas['Record'][] =>
    ids.flatMap((id) => {
      const point = kept.points.get(String(id))
      return point ? [recordOf(point, { with_payload: with_payload ?? false, with_vector })] : []
    }),
  'POST points/scroll': (kept, { limit = 10, ...request }: Schemas['ScrollRequest']): Schemas['ScrollResult'] => {
    const found = matching(kept, request.filter).sort((a, b) => (a.id < b.id ? -1 : 1))
    const from = found.filter(({ id }) => request.offset == null || id >= String(request.offset))
    const points = from
      .slice(0, limit!)
      .map((point) => recordOf(point, { ...request, with_payload: request.with_payload ?? true }))
    return { points, next_page_offset: (from[limit!]?.id ?? null) as string }
  },
  'POST points/count': (kept, { filter }: Schemas['CountRequest']): Schemas['CountResult'] => ({
    count: matching(kept, filter as Schemas['Filter']).length,
  }),
  'POST points/query': (
    kept,
    { query, filter, limit, ...options }: Schemas['QueryRequest'],
  ): Schemas['QueryResponse'] => {
    if (limit! < 1) {
      throw new Refusal(
        422,
        `Validation error in JSON body: [internal.limit: value ${limit} invalid, must be 1 or larger]`,
      )
    }
    const vector = vectorFrom(query as number[], kept)!
    const scored = matching(kept, filter as Schemas['Filter']).flatMap((point) =>
      point.vector ? [{ point, score: dot(point.vector, vector) }] : [],
    )
    const best = scored.sort((a, b) => b.score - a.score).slice(0, limit ?? 10)
    const points = best.map(({ point, score }) => {
      const { id, ...rest } = recordOf(point, options)
      return { id, version: 0, score: inFewDigits(score), ...rest }
    })
    return { points }
  },
  'POST points/payload': (kept, { payload, key, points, filter }: Schemas['SetPayload']) => {
    const chosen = points ? points.map((id) => known(kept, id)) : matching(kept, filter as Schemas['Filter'])
    for (const point of chosen) {
      const addition = structuredClone(payload) as Record<string, unknown>
      const nested = key ? { [key]: { ...(point.payload[key] as object), ...addition } } : addition
      point.payload = { ...point.payload, ...nested }
    }
    return updated(kept)
  },
  'POST points/delete': (kept, selector: Schemas['PointsSelector']) => {
    const ids = 'points' in selector ? selector.points : matching(kept, selector.filter).map(({ id }) => id)
    for (const id of ids) kept.points.delete(String(id))
    return updated(kept)
  },
}

const updated = (kept: Kept): Schemas['UpdateResult'] => ({ operation_id: ++kept.operations, status: 'completed' })

const matching = ({ points }: Kept, filter: Schemas['Filter'] | null | undefined): Stored[] =>
  [...points.values()].filter((point) => matches(point, filter))

const known = ({ points }: Kept, id: unknown): Stored => {
  const point = points.get(String(id))
  if (!point) throw new Refusal(404, `Not found: No point with id ${id} found`)
  return point
}

type Wanted = { with_payload?: unknown; with_vector?: unknown }

const recordOf = ({ id, payload, vector }: Stored, { with_payload, with_vector }: Wanted): Schemas['Record'] => ({
  id,
  ...(with_payload ? { payload: structuredClone(chosen(payload, with_payload)) } : {}),
  ...(with_vector ? { vector: vector ? Array.from(vector, inFewDigits) : {} } : {}),
})

const chosen = (payload: Stored['payload'], wanted: unknown): Stored['payload'] =>
  Array.isArray(wanted) ? Object.fromEntries(Object.entries(payload).filter(([key]) => wanted.includes(key))) : payload

const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/

const checkId = (id: unknown): void => {
  if (uuid.test(String(id))) return
  const valid = 'valid values are either an unsigned integer or a UUID'
  throw new Refusal(400, `Format error in JSON body: value ${id} is not a valid point ID, ${valid}`)
}

/** Qdrant keeps 32-bit numbers, for cosine of length 1, and takes points without a vector. */
const vectorFrom = (vector: unknown, { vectors }: Kept): Float32Array | undefined => {
  if (!Array.isArray(vector)) return undefined
  if (vectors.size === undefined) throw new Refusal(400, 'Wrong input: Not existing vector name error: ')
  if (vector.length !== vectors.size) {
    throw new Refusal(400, `Wrong input: Vector dimension error: expected dim: ${vectors.size}, got ${vector.length}`)
  }
  const numbers = Float32Array.from(vector as number[])
  const square = dot(numbers, numbers)
  return Math.abs(square - 1) < 1e-6 || square === 0 ? numbers : numbers.map((number) => number / Math.sqrt(square))
}

/** A 32-bit number in the fewest digits that give it back, as the server writes it. */
const inFewDigits = (number: number): number => {
  const digits = [6, 7, 8, 9].find((digits) => Math.fround(Number(number.toPrecision(digits))) === Math.fround(number))
  return Number(number.toPrecision(digits))
}

const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
