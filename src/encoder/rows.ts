import type { Tensor } from 'onnxruntime-node'

/** Numbers in row order and their shape. */
export type Rows = { readonly data: Float32Array<ArrayBuffer>; readonly dims: readonly number[] }

/**
 * Copies an embedding tensor, as the runtime owns the memory of what it gives.
 *
 * @param count rows wanted: a graph with a fixed batch gives more when it was not full
 * @returns [count, …]; one without a batch axis gets it
 */
export const rowsOf = (tensor: Tensor | undefined, count: number): Rows => {
  if (!(tensor?.data instanceof Float32Array)) throw new Error(`Expected float32 numbers, got ${tensor?.type}`)
  const [rows, ...rest] = tensor.dims.length === 1 ? [1, ...tensor.dims] : tensor.dims
  const kept = Math.min(count, rows!)
  return {
    data: tensor.data.slice(0, (tensor.data.length / rows!) * kept) as Float32Array<ArrayBuffer>,
    dims: [kept, ...rest],
  }
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
