import type { Model } from '../models/model.ts'
import type { Device, DeviceChoice, Placement } from './device.ts'
import type { Gate } from './nativeGate.ts'
import type { Rows } from './rows.ts'

/** What the worker is started with. */
export type WorkerSettings = {
  readonly model: Model
  readonly batchSize: number
  readonly threads: number | undefined
  readonly device: DeviceChoice
  readonly gate: Gate
}

/** One batch of pictures or texts, no pictures to load the tower only; `pixels` is shared memory that the worker reads until it has answered. */
export type Task =
  | { readonly id: number; readonly kind: 'pictures'; readonly count: number; readonly pixels: SharedArrayBuffer }
  | { readonly id: number; readonly kind: 'texts'; readonly texts: readonly string[] }

export type Answer = Rows & {
  readonly id: number
  /** Indexes of the texts that were cut to the model's context. */
  readonly truncated: readonly number[]
  /** Of the tower that gave it. */
  readonly placement: Placement
  /** Milliseconds that it took, loading the model not counted. */
  readonly busyMs: number
}

export type Failure = {
  readonly id: number
  /** Whether the model could not be loaded, the device could not run it, or it ran and failed, perhaps for lack of memory. */
  readonly during: 'load' | 'device' | 'run' | 'memory'
  /** The one that was asked for by name, if that is what failed. */
  readonly device?: Device
  readonly file: string
  readonly message: string
}

export type FromWorker = Answer | Failure

/** Asks the worker to free what it holds and to end. */
export const closeMessage = 'close'
