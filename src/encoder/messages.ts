import type { Model } from '../models/model.ts'

/** What the worker is started with. */
export type WorkerSettings = { readonly model: Model; readonly batchSize: number; readonly threads: number | undefined }

/** One batch of pictures or texts; `pixels` is shared memory that the worker reads until it has answered. */
export type Task =
  | { readonly id: number; readonly kind: 'pictures'; readonly count: number; readonly pixels: SharedArrayBuffer }
  | { readonly id: number; readonly kind: 'texts'; readonly texts: readonly string[] }

export type Answer = {
  readonly id: number
  readonly data: Float32Array<ArrayBuffer>
  readonly dims: readonly number[]
  /** Indexes of the texts that were cut to the model's context. */
  readonly truncated: readonly number[]
}

export type Failure = {
  readonly id: number
  /** Whether the model could not be loaded, or ran and failed. */
  readonly during: 'load' | 'run'
  readonly file: string
  readonly message: string
}

export type FromWorker = Answer | Failure

/** Asks the worker to free what it holds and to end. */
export const closeMessage = 'close'
