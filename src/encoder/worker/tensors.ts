import type { Tensor } from 'onnxruntime-node'
import type { ImageTower } from '../../models/model.ts'
import type { Rows } from '../channel.ts'

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

const channels = 3

/** What the numbers of a tensor are kept in: 32-bit ones, or the bits of 16-bit ones. */
export type Numbers = Float32Array | Uint16Array

/** Turns pixels into what the image tower takes; made once a model. */
export type ToTensor = (pixels: Uint8Array, count: number, tensor: Numbers) => void

/**
 * (value / 255 − mean) / std for each of the 256 values and 3 channels is worked out beforehand, which leaves one look-up
 * a number: a batch takes a few percent of what encoding it takes.
 *
 * @returns writes [count, size, size, 3] of 8 bits as [count, 3, size, size] into `tensor`, of the type asked for
 */
export const pixelsToTensor = (
  { size, mean, std }: Pick<ImageTower, 'size' | 'mean' | 'std'>,
  type: 'float32' | 'float16' = 'float32',
): ToTensor => {
  const table = (channel: number): Numbers => {
    const normal = (_: unknown, value: number) => (value / 255 - mean[channel]!) / std[channel]!
    return type === 'float32'
      ? Float32Array.from({ length: 256 }, normal)
      : Uint16Array.from({ length: 256 }, (_, value) => toHalf(normal(_, value)))
  }
  const [red, green, blue] = [table(0), table(1), table(2)]
  const plane = size * size
  return (pixels, count, tensor) => {
    for (let picture = 0; picture < count; picture++) {
      let to = picture * plane * channels
      let from = to
      for (const end = to + plane; to < end; to++, from += channels) {
        tensor[to] = red[pixels[from]!]!
        tensor[to + plane] = green[pixels[from + 1]!]!
        tensor[to + 2 * plane] = blue[pixels[from + 2]!]!
      }
    }
  }
}

/*
 * Numbers of 16 bits (IEEE 754 binary16), which towers in half precision may take and give. Node 20 has no array type for
 * them, so they travel as whole numbers that hold the same bits.
 */

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** The nearest number of 16 bits, ties to even; too large ones become infinite. */
export const toHalf = (value: number): number => {
  float[0] = value
  const [all] = bits as unknown as [number]
  const sign = (all >>> 16) & 0x8000
  const magnitude = all & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude < 0x38800000) return sign | roundToEven(Math.abs(value) * 2 ** 24)
  // Moving the exponent's zero and dropping 13 bits of the fraction; a carry runs into the exponent, where it belongs.
  const kept = magnitude - 0x38000000
  return sign | ((kept + 0xfff + ((kept >>> 13) & 1)) >>> 13)
}

const roundToEven = (value: number): number => {
  const down = Math.floor(value)
  const rest = value - down
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down
}

export const fromHalf = (half: number): number => {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
