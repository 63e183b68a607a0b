import type { CallOptions, Hit, Payload, Point, PointFilter, Sighting, Stretch } from '../store.ts'
import { type Qdrant, type Schemas, writeSeconds } from './client.ts'
import { tooLarge } from './failures.ts'

/** Requests in flight while writing many points; each holds at most 16 MiB here. */
const defaultStreams = 3

type WriteOptions = CallOptions & {
  /** Requests in flight, at least 1. */
  readonly streams?: number
  /** Points a request, at least 1. */
  readonly batchSize?: number
}

/** Writes points and waits until the server has applied them. Of a point that is there twice the last one counts. */
export const writePoints = async (
  qdrant: Qdrant,
  name: string,
  points: readonly Point[],
  { signal, streams = defaultStreams, batchSize = mostPoints }: WriteOptions,
): Promise<void> => {
  signal?.throwIfAborted()
  // Requests overtake each other, so no id may be in two of them.
  const batches = batchesOf(new Map(points.map((point) => [point.id, point])).values(), batchSize)
  // All streams draw from one generator; leaving a loop by an error ends it, and with it the others after their batch.
  const stream = async () => {
    for (const batch of batches) await send(qdrant, name, batch, { signal })
  }
  const ends = await Promise.allSettled(Array.from({ length: streams }, stream))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/** Sends a batch and waits until it is applied; in halves where a proxy takes less at once than the server. */
const send = async (
  qdrant: Qdrant,
  name: string,
  points: Schemas['PointStruct'][],
  { signal }: CallOptions,
): Promise<void> => {
  try {
    const request = { collection_name: name, wait: true, points }
    await qdrant.ask((api, init) => api.upsertPoints(request, init), { signal, timeoutSeconds: writeSeconds })
  } catch (error) {
    if (points.length === 1 || (error as { code?: string }).code !== tooLarge) throw error
    const half = Math.ceil(points.length / 2)
    await send(qdrant, name, points.slice(0, half), { signal })
    await send(qdrant, name, points.slice(half), { signal })
  }
}

/** Points a request; 64 to 256 is what loads fastest. */
const mostPoints = 256

/** Bytes a request; half of the 32 MiB that a server takes by default. */
const mostBytes = 16 * 2 ** 20

/** Digits with which every float32 comes back as the same number (FLT_DECIMAL_DIG); the other eight are ballast. */
const floatDigits = 9

/** Most bytes of a number of so many digits in JSON: sign, point, exponent, comma. */
const numberBytes = floatDigits + 8

/** Cuts points into requests that a server takes, of at most `batchSize` points. */
const batchesOf = function* (
  points: Iterable<Point>,
  batchSize: number = mostPoints,
): Generator<Schemas['PointStruct'][]> {
  let batch: Schemas['PointStruct'][] = []
  let bytes = 0
  for (const point of points) {
    const size = point.vector.length * numberBytes + Buffer.byteLength(JSON.stringify(payloadOf(point))) + 100
    if (batch.length === batchSize || (batch.length > 0 && bytes + size > mostBytes)) {
      yield batch
      ;[batch, bytes] = [[], 0]
    }
    batch.push({ id: point.id, vector: numbersOf(point.vector), payload: payloadOf(point) })
    bytes += size
  }
  if (batch.length > 0) yield batch
}

/** A vector as it is sent: the same float32 numbers, in half the digits. */
export const numbersOf = (vector: Float32Array): number[] => {
  const numbers = new Array<number>(vector.length)
  for (let i = 0; i < vector.length; i++) numbers[i] = inNineDigits(vector[i]!)
  return numbers
}

/** `toPrecision` alone takes as long as all the rest of writing a request, so the usual sizes are rounded by arithmetic. */
const inNineDigits = (number: number): number => {
  const size = Math.abs(number)
  if (size >= 0.1 && size < 1) return Math.round(number * 1e9) / 1e9
  if (size >= 0.01 && size < 0.1) return Math.round(number * 1e10) / 1e10
  if (size >= 0.001 && size < 0.01) return Math.round(number * 1e11) / 1e11
  return Number(number.toPrecision(floatDigits))
}

const payloadOf = ({ path, t, patch, until, box, video }: Payload) => ({ path, t, patch, until, box, video })

/** A point as stored; its payload is ours because the collection is. */
export const pointOf = ({ id, payload, vector }: Schemas['Record']): Point => ({
  ...payloadOf(payload as unknown as Payload),
  id: String(id),
  vector: Float32Array.from(vector as number[]),
})

/** A point as found; its payload is ours because the collection is. */
export const hitOf = ({ id, score, payload }: Schemas['ScoredPoint']): Hit => ({
  ...payloadOf(payload as unknown as Payload),
  id: String(id),
  similarity: similarityOf(score),
})

/** Fields of a point that {@link sightingOf} reads. */
export const sightingFields = ['video', 't', 'until']

export const sightingOf = ({ id, score, payload }: Schemas['ScoredPoint']): Sighting => {
  const { video, t, until } = payload as unknown as Payload
  return { id: String(id), video, t, until, similarity: similarityOf(score) }
}

/** Rounding takes the cosine of equal vectors a little beyond 1. */
const similarityOf = (score: number): number => Math.min(1, Math.max(-1, score))

/** What has to hold for a point. */
export const conditionsOf = ({
  videos,
  exceptVideos,
  patch,
  within,
  outside = [],
  ...times
}: PointFilter): Schemas['Filter'] => ({
  must: [
    ...(videos === undefined ? [] : [{ key: 'video', match: { any: [...videos] } }]),
    ...(patch === undefined ? [] : [{ key: 'patch', match: { value: patch } }]),
    ...during(times),
    ...(within === undefined ? [] : [{ should: within.map(inStretch) }]),
  ],
  must_not: [
    ...(exceptVideos?.length ? [{ key: 'video', match: { any: [...exceptVideos] } }] : []),
    ...outside.map(inStretch),
  ],
})

const inStretch = ({ video, from, to }: Stretch) => ({
  must: [{ key: 'video', match: { value: video } }, ...during({ afterSeconds: from, beforeSeconds: to })],
})

const during = ({ afterSeconds, beforeSeconds }: Pick<PointFilter, 'afterSeconds' | 'beforeSeconds'>) => [
  ...(afterSeconds === undefined ? [] : [{ key: 'until', range: { gte: afterSeconds } }]),
  ...(beforeSeconds === undefined ? [] : [{ key: 't', range: { lte: beforeSeconds } }]),
]

export const ofVideo = (video: string): Schemas['Filter'] => ({ must: [{ key: 'video', match: { value: video } }] })

/** All points that match, page by page, in the order of their ids. */
export const scroll = async function* (
  qdrant: Qdrant,
  collection: string,
  request: Schemas['ScrollRequest'] & { readonly limit: number },
  { signal }: CallOptions,
): AsyncGenerator<Schemas['Record']> {
  let offset: Schemas['ScrollRequest']['offset']
  do {
    const page = { with_vector: false, ...request, collection_name: collection, ...(offset ? { offset } : {}) }
    const { points, next_page_offset } = await qdrant.ask((api, init) => api.scrollPoints(page, init), { signal })
    yield* points
    offset = next_page_offset
  } while (offset)
}
