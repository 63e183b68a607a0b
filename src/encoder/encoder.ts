import type { Model } from '../models/model.ts'

export type EncodeOptions = { readonly signal?: AbortSignal | undefined }

/** Turns pictures and texts into embeddings of one space. Runs off the calling thread: the event loop stays free. */
export type Encoder = {
  readonly model: Model
  /** Pictures a batch that run best; callers may send fewer. */
  readonly batchSize: number
  /**
   * @param pixels RGB, 8 bits: [count, size, size, 3] with `size` the model's input size in pixels. Not kept: the
   * caller may overwrite it as soon as this call has returned its promise.
   * @returns [count][dimension], each of length 1
   * @throws EncoderError if the length is no multiple of a picture's or the model gives something unusable
   */
  encodePictures(pixels: Uint8Array, options?: EncodeOptions): Promise<readonly Float32Array[]>
  /** @returns [texts.length][dimension], each of length 1 */
  encodeTexts(texts: readonly string[], options?: EncodeOptions): Promise<readonly Float32Array[]>
  close(): Promise<void>
}
