import { EncoderError } from './encoder.ts'
import type { Rows } from './rows.ts'

/**
 * Checks what a tower gave and cuts it into embeddings of length 1. Models that normalise already lose nothing by it.
 *
 * @returns [count][dimension]
 * @throws EncoderError if the shape is not [count, dimension], or a row is zero or not finite
 */
export const unitVectors = ({ data, dims }: Rows, count: number, dimension: number): Float32Array[] => {
  if (dims.length !== 2 || dims[0] !== count || dims[1] !== dimension || data.length !== count * dimension) {
    throw unusable(`Expected embeddings of shape [${count}, ${dimension}], got [${dims.join(', ')}]`)
  }
  return Array.from({ length: count }, (_, row) => unit(data.slice(row * dimension, (row + 1) * dimension)))
}

const unit = (vector: Float32Array): Float32Array => {
  let sum = 0
  for (const x of vector) sum += x * x
  const length = Math.sqrt(sum)
  if (!(length > 0) || !Number.isFinite(length)) {
    throw unusable(`Expected an embedding of finite length above 0, got one of length ${length}`)
  }
  for (let i = 0; i < vector.length; i++) vector[i]! /= length
  return vector
}

const unusable = (message: string): EncoderError =>
  new EncoderError('embedding-unusable', message, { remedy: 'Check the model: vidgrep models verify' })
