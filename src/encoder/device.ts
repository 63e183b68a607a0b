import { availableParallelism, totalmem } from 'node:os'
import { graphBytes } from '../models/disk.ts'
import type { Model } from '../models/model.ts'
import type { Device } from '../settings.ts'

/** What a tower computes on: found out, never assumed. */
export type Placement = {
  readonly device: Device
  /** The file that was loaded: on a GPU the one in half precision, where there is one. */
  readonly file: string
  /** Operators of the graph by the device that computes them; `undefined` where there is no other than the CPU. */
  readonly operators?: Operators
  /** Its weights were prepared for this machine, and are shared by all sessions. */
  readonly isPrepared?: boolean
  /** Devices that were tried before, and why they did not do. */
  readonly passedOver: readonly { readonly device: Device; readonly reason: string }[]
}

export type Operators = Readonly<Partial<Record<Device, number>>>

/**
 * Pictures a batch. On a CPU 4 to 16 are equally fast alone, and 4 are fastest beside decoders; larger models name their
 * own (`image.batch`). A batch that runs cannot be broken off, so small ones also end sooner.
 */
const defaultBatch = { cpu: 4, gpu: 16 }

/** @param device what the image tower runs on, `undefined` as long as that is not known */
export const batchFor = ({ image }: Model, device: Device | undefined): number =>
  device === undefined || device === 'cpu' ? (image.batch ?? defaultBatch.cpu) : defaultBatch.gpu

/** Part of the memory that sessions may take. */
const memoryShare = 1 / 8

/** Memory that a session takes over the size of its image tower's file: 90 MB for the 34.5 MB of the starter's. */
const memoryRatio = 2.6

/** Smaller graphs open in a fraction of a second as they are: not worth a file beside them, and a wait at the first use. */
export const leastPreparedBytes = 100e6

/** Memory that a session takes that shares its weights with others, whatever the model: what it computes with. */
const preparedBytes = 50e6

/**
 * Threads of each session that runs side by side on a CPU: as many sessions as there are threads, if the memory has room
 * for as many image towers; else fewer, of more threads each. No thread is left out. One that computes alone waits for no
 * other after each operator: on two cores two sessions of one thread encode 15% more pictures than one of two threads.
 *
 * @param machine.cores that this process may use
 * @param machine.memoryBytes that this process may use
 * @param towerBytes size of the image tower's file, 0 where sessions share their weights
 */
export const shareOut = (machine: Machine, towerBytes: number): readonly number[] => {
  const room = Math.floor((machine.memoryBytes * memoryShare) / (preparedBytes + towerBytes * memoryRatio))
  return shares(machine.cores, Math.max(1, Math.min(machine.cores, room)))
}

export type Machine = { readonly cores: number; readonly memoryBytes: number }

/** `threads` in `sessions` parts that differ by one at most. */
export const shares = (threads: number, sessions: number): readonly number[] =>
  Array.from({ length: sessions }, (_, i) => Math.max(1, Math.floor((threads + i) / sessions))).reverse()

/** The same for a model on this machine. @param threads of all sessions together, default: one a core */
export const sideBySide = async (model: Model, threads = availableParallelism()) => {
  // In a container there is less memory than the machine has.
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)
  // A file that is missing is reported by the session that cannot be opened.
  const towerBytes = (await graphBytes(model.image.file)) || 1
  const isLarge = towerBytes >= leastPreparedBytes
  return (isPrepared: boolean) => shareOut({ cores: threads, memoryBytes }, isPrepared && isLarge ? 0 : towerBytes)
}
