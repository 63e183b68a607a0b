import type { Tensor } from 'onnxruntime-node'
import { fromHalf } from './half.ts'

/** Numbers in row order and their shape. */
export type Rows = { readonly data: Float32Array<ArrayBuffer>; readonly dims: readonly number[] }

/**
 * Copies an embedding tensor, as the runtime owns the memory of what it gives.
 *
 * @param count rows wanted: a graph with a fixed batch gives more when it was not full
 * @returns [count, …]; one without a batch axis gets it
 */
export const rowsOf = (tensor: Tensor | undefined, count: number): Rows => {
  if (tensor?.type !== 'float32' && tensor?.type !== 'float16') {
    throw new Error(`Expected float32 or float16 numbers, got ${tensor?.type}`)
  }
  const [rows, ...rest] = tensor.dims.length === 1 ? [1, ...tensor.dims] : tensor.dims
  const kept = Math.min(count, rows!)
  return { data: copy(tensor, (tensor.data.length / rows!) * kept), dims: [kept, ...rest] }
}

/** Numbers of 16 bits come in an array type that only newer versions of Node have: their bits are read instead. */
const copy = ({ data }: Tensor, length: number): Float32Array<ArrayBuffer> => {
  if (data instanceof Float32Array) return data.slice(0, length) as Float32Array<ArrayBuffer>
  const { buffer, byteOffset } = data as Uint16Array
  return Float32Array.from(new Uint16Array(buffer, byteOffset, length), fromHalf)
}

/** Joins what several runs gave, one below the other. */
export const stack = (parts: readonly Rows[]): Rows => {
  if (parts.length === 1) return parts[0]!
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0))
  let at = 0
  for (const part of parts) {
    data.set(part.data, at)
    at += part.data.length
  }
  return { data, dims: [parts.reduce((sum, { dims }) => sum + dims[0]!, 0), ...(parts[0]?.dims.slice(1) ?? [])] }
}
