import { VidgrepError } from '../errors.ts'
import type { Model } from '../models/model.ts'
import type { DeviceChoice, Placement } from './device.ts'

export type EncodeOptions = {
  /** Rejects the call at once with the signal's reason. */
  readonly signal?: AbortSignal
}

export type EncodeTextOptions = EncodeOptions & {
  /** Told for each text that is longer than the model's context: only its beginning was encoded. */
  readonly onTruncated?: (text: string) => void
}

/** Turns pictures and texts into embeddings of one space. Runs off the calling thread: the event loop stays free. */
export type Encoder = {
  readonly model: Model
  /** Pictures a batch that run best, may change from one call to the next; callers may send fewer. */
  readonly batchSize: number
  /** Batches to hand over before the first is awaited, so that the encoder never waits; may change as well. */
  readonly batchesAtOnce: number
  /** What pictures and texts are computed on, as soon as some were. */
  readonly placements: { readonly pictures?: Placement; readonly texts?: Placement }
  /** Seconds that the model has computed so far, loading not counted; of several sessions, on average. */
  readonly busy: { readonly seconds: number }
  /** Begins to load the image tower, for who is about to have pictures. What fails is told with the first of them. */
  load(): void
  /**
   * @param pixels RGB, 8 bits: [count, size, size, 3] with `size` the model's input size in pixels. Not kept: the
   * caller may overwrite it as soon as this call has returned its promise.
   * @returns [count][dimension], each of length 1
   * @throws EncoderError if the length is no multiple of a picture's or the model gives something unusable
   */
  encodePictures(pixels: Uint8Array, options?: EncodeOptions): Promise<readonly Float32Array[]>
  /** @returns [texts.length][dimension], each of length 1 */
  encodeTexts(texts: readonly string[], options?: EncodeTextOptions): Promise<readonly Float32Array[]>
  /** Ends the worker; calls that are still running reject with an EncoderError of code `encoder-closed`. */
  close(): Promise<void>
}

export type OpenEncoder = {
  /** Threads that a session computes with, 1 or more. Default: the runtime's own choice, one a physical core. */
  readonly threads?: number
  /**
   * Sessions side by side on a CPU, 1 or more: each holds the image tower once more and runs batches of its own. Several
   * of one thread compute more than one of several threads, as no thread waits for another after each operator. @default 1
   */
  readonly sessions?: number
  /** Most pictures that run at once, 1 or more. Default: {@link defaultBatchSize}. */
  readonly batchSize?: number
  /** Where to compute. Asked for by name, another one is never taken. @default 'auto' */
  readonly device?: DeviceChoice
  /** Closes the encoder. */
  readonly signal?: AbortSignal
}

/**
 * Measured by bench/encoder.ts on two cores: batches of 4 to 16 pictures run equally fast, 1 and 32 some 10% slower; beside
 * decoders the smaller ones are faster. A batch that runs cannot be broken off, so they also end sooner.
 */
export const defaultBatchSize = 4

/** The model could not be loaded, could not run, or gave something that is no embedding. */
export class EncoderError extends VidgrepError {}
