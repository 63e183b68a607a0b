import { v5 as uuidv5 } from 'uuid'
import { InvalidPointError, type Point, type Sighting } from './store.ts'

/** Namespace of the point ids; made once at random, never to change. */
const namespace = '3c4f7d0e-5a52-4d39-9f0a-6f4f0c1b7e21'

/** The same patch of the same content by the same model has the same id, so indexing again changes nothing. */
export const pointId = (video: string, model: string, timestampSeconds: number, patch: number): string =>
  uuidv5(`${video}/${model}/${Math.round(timestampSeconds * 1000)}/${patch}`, namespace)

/** How far a unit vector's length may be from 1 (float32 rounding of a few hundred dimensions stays far below). */
const lengthTolerance = 1e-3

/** @throws InvalidPointError if a vector is not a unit vector of `dimension` dimensions, or a payload number is not finite */
export const checkPoints = (points: readonly Point[], dimension: number): void => {
  for (const point of points) {
    checkVector(point.vector, dimension, `Point ${point.id} (${point.path}, ${point.t} s, patch ${point.patch})`)
    if (![point.t, point.until, point.patch, ...point.box].every(Number.isFinite)) {
      throw new InvalidPointError(`Point ${point.id}: expected finite numbers in its payload, got others`)
    }
  }
}

/** @throws InvalidPointError if the vector is not a unit vector of `dimension` dimensions */
export const checkVector = (vector: Float32Array, dimension: number, what: string): void => {
  if (vector.length !== dimension) {
    throw new InvalidPointError(`${what}: expected ${dimension} dimensions, got ${vector.length}`)
  }
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))
  if (!(Math.abs(length - 1) <= lengthTolerance)) {
    throw new InvalidPointError(`${what}: expected a unit vector, got one of length ${length}`)
  }
}

/** Cosine of two unit vectors. */
export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Best first, equals by id. */
export const byRank = (a: Sighting, b: Sighting): number => b.similarity - a.similarity || (a.id < b.id ? -1 : 1)
