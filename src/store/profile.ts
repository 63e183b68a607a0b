/** What a search has to know of a video before it looks into it: kept in its record, about 1 KB. */
export type VideoProfile = {
  /** Of each of the captions in models/captions.txt the best cosine that it reaches in the video. */
  readonly captions: Quantised
  /** Mean of the video's embeddings, [dimension]. */
  readonly mean: Quantised
}

/** Numbers in 256 even steps from `low` to `high`, a byte each, in base64. */
export type Quantised = { readonly low: number; readonly high: number; readonly bytes: string }

/** Off by half a step at most: a five-hundredth of the range. */
export const quantised = (numbers: Float32Array): Quantised => {
  const low = numbers.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const high = numbers.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const steps = 255 / (high - low || 1)
  const bytes = Uint8Array.from(numbers, (x) => Math.round((x - low) * steps))
  return { low, high, bytes: Buffer.from(bytes).toString('base64') }
}

export const restored = ({ low, high, bytes }: Quantised): Float32Array =>
  Float32Array.from(Buffer.from(bytes, 'base64'), (x) => low + (x * (high - low)) / 255)
