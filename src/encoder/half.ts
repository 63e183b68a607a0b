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
