import { UsageError } from '../errors.ts'

/** What the runtime can compute on. */
export const devices = ['cpu', 'cuda', 'webgpu', 'coreml', 'dml'] as const

export type Device = (typeof devices)[number]

/** `auto`: the best one that works. */
export type DeviceChoice = Device | 'auto'

export const deviceChoices: readonly DeviceChoice[] = ['auto', ...devices]

/** @throws UsageError if there is no such device */
export const deviceChoice = (name: string): DeviceChoice => {
  const found = deviceChoices.find((choice) => choice === name)
  if (found) return found
  throw new UsageError(`Expected a device out of ${deviceChoices.join(', ')}, got "${name}"`, {
    remedy: 'Leave --device and VIDGREP_DEVICE out to use the best one that works',
  })
}

/**
 * What `auto` tries, best first, before the CPU. Not WebGPU: the runtime calls it experimental, and it also takes a GPU
 * that is only emulated on the CPU.
 */
const bestFirst: readonly Device[] = ['cuda', 'dml', 'coreml']

/** @param supported what the runtime on this platform knows, installed or not */
export const candidates = (choice: DeviceChoice, supported: readonly string[]): readonly Device[] =>
  choice === 'auto' ? [...bestFirst.filter((device) => supported.includes(device)), 'cpu'] : [choice]

/** What a tower computes on: found out, never assumed. */
export type Placement = {
  readonly device: Device
  /** The file that was loaded: on a GPU the one in half precision, where there is one. */
  readonly file: string
  /** Operators of the graph by the device that computes them; `undefined` where there is no other than the CPU. */
  readonly operators?: Operators
  /** Devices that were tried before, and why they did not do. */
  readonly passedOver: readonly { readonly device: Device; readonly reason: string }[]
}

export type Operators = Readonly<Partial<Record<Device, number>>>

/** The device that was asked for by name cannot run the model. Thrown in the worker, where the runtime is. */
export class DeviceFailure extends Error {
  readonly device: Device

  constructor(device: Device, reason: string) {
    super(reason)
    this.name = new.target.name
    this.device = device
  }
}
