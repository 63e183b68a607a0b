import type { Hit, Payload, Point, PointFilter } from '../store.ts'
import type { Schemas } from './client.ts'

/** Points a request; 64 to 256 is what loads fastest. */
export const mostPoints = 256

/** Bytes a request; half of the 32 MiB that a server takes unless told otherwise. */
const mostBytes = 16 * 2 ** 20

/** Digits with which every float32 comes back as the same number (FLT_DECIMAL_DIG); the other eight are ballast. */
const floatDigits = 9

/** Most bytes of a number of so many digits in JSON: sign, point, exponent, comma. */
const numberBytes = floatDigits + 8

/** Cuts points into requests that a server takes, of at most `batchSize` points. */
export const batchesOf = function* (
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

/** A point as found; its payload is ours because the collection is. */
export const hitOf = ({ id, score, payload }: Schemas['ScoredPoint']): Hit => ({
  ...payloadOf(payload as unknown as Payload),
  id: String(id),
  // Rounding takes the cosine of equal vectors a little beyond 1.
  similarity: Math.min(1, Math.max(-1, score)),
})

/** Best first, at equal similarity by id. */
export const byScore = (a: Hit, b: Hit): number => b.similarity - a.similarity || (a.id < b.id ? -1 : 1)

/** What has to hold for a point; `videos` undefined: any video. */
export const conditionsOf = (
  videos: readonly string[] | undefined,
  { afterSeconds, beforeSeconds }: Pick<PointFilter, 'afterSeconds' | 'beforeSeconds'>,
): Schemas['FieldCondition'][] => [
  ...(videos === undefined ? [] : [{ key: 'video', match: { any: [...videos] } }]),
  ...(afterSeconds === undefined ? [] : [{ key: 'until', range: { gte: afterSeconds } }]),
  ...(beforeSeconds === undefined ? [] : [{ key: 't', range: { lte: beforeSeconds } }]),
]

export const ofVideo = (video: string): Schemas['Filter'] => ({ must: [{ key: 'video', match: { value: video } }] })
