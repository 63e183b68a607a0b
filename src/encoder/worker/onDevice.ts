import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Device, DeviceChoice } from '../../settings.ts'
import type { Operators, Placement } from '../device.ts'
import type { Tower, TowerSettings } from './session.ts'

/** The device that was asked for by name cannot run the model. */
export class DeviceFailure extends Error {
  readonly device: Device

  constructor(device: Device, reason: string) {
    super(reason)
    this.name = new.target.name
    this.device = device
  }
}

/**
 * What `auto` tries, best first, before the CPU. Not WebGPU: the runtime calls it experimental, and it also takes a GPU
 * that is only emulated on the CPU.
 */
const bestFirst: readonly Device[] = ['cuda', 'dml', 'coreml']

/** @param supported what the runtime on this platform knows, installed or not */
export const candidates = (choice: DeviceChoice, supported: readonly string[]): readonly Device[] =>
  choice === 'auto' ? [...bestFirst.filter((device) => supported.includes(device)), 'cpu'] : [choice]

export type Placed<Run> = Tower<Run> & { readonly placement: Placement }

export type OnDevice<Run> = {
  /** In the order in which they are tried; one alone was asked for by name. */
  readonly candidates: readonly Device[]
  /** Threads on the CPU; beside another device the runtime chooses. */
  readonly threads: number | undefined
  /** The tower's file on a device. */
  readonly fileFor: (device: Device) => string
  readonly open: (file: string, settings: TowerSettings) => Promise<Tower<Run>>
  /** Opens it on the CPU in another way than `open`. */
  readonly openOnCpu?: () => Promise<Tower<Run>>
  /** Runs the tower once, on as little as possible. */
  readonly trial: (run: Run) => Promise<unknown>
}

/**
 * Opens a tower on the first device that really computes it: a provider that is there but leaves the work to the CPU does
 * not count.
 *
 * @throws DeviceFailure if the device was asked for by name and cannot
 * @throws what opening throws if the model cannot be loaded on the CPU either
 */
export const openOnDevice = async <Run>(options: OnDevice<Run>): Promise<Placed<Run>> => {
  const passedOver: { device: Device; reason: string }[] = []
  for (const device of options.candidates) {
    if (device === 'cpu') {
      const tower = await (options.openOnCpu?.() ?? onCpu(options))
      return { ...tower, placement: { ...placed(options, device, passedOver), isPrepared: tower.isPrepared } }
    }
    try {
      return await onGpu(options, device, passedOver)
    } catch (error) {
      passedOver.push({ device, reason: error instanceof Error ? error.message.trim() : String(error) })
    }
  }
  // A damaged file fails everywhere: then that is what has to be said.
  await (await onCpu(options)).release()
  const { device, reason } = passedOver[0]!
  throw new DeviceFailure(device, reason)
}

const onCpu = <Run>({ open, fileFor, threads }: OnDevice<Run>): Promise<Tower<Run>> =>
  open(fileFor('cpu'), { device: 'cpu', threads })

const placed = <Run>(
  { fileFor }: OnDevice<Run>,
  device: Device,
  passedOver: Placement['passedOver'],
  operators?: Placement['operators'],
): Placement => ({ device, file: fileFor(device), operators, passedOver })

const onGpu = async <Run>(
  options: OnDevice<Run>,
  device: Device,
  passedOver: Placement['passedOver'],
): Promise<Placed<Run>> => {
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-profile-'))
  try {
    const settings = { device, threads: undefined, profile: join(folder, 'run') }
    const tower = await options.open(options.fileFor(device), settings)
    try {
      // The first run also compiles and warms up: the second one shows how it is.
      await options.trial(tower.run)
      await options.trial(tower.run)
      tower.endProfile()
      const { operators, mostly } = readProfile(await readFile(join(folder, (await readdir(folder))[0]!), 'utf8'))
      if (mostly !== device)
        throw new Error(`the runtime leaves the work to ${mostly ?? 'nothing'}: ${list(operators)}`)
      return { ...tower, placement: placed(options, device, passedOver, operators) }
    } catch (error) {
      await tower.release()
      throw error
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const list = (operators: Placement['operators'] = {}): string =>
  Object.entries(operators)
    .map(([device, count]) => `${count} operators on ${device}`)
    .join(', ')

/*
 * A session that has a GPU's provider still computes on the CPU whatever that provider does not know, in the worst case
 * everything, and says nothing. The runtime's profile of a run names the provider of each operator.
 */

/** The part of an entry that is read: `dur` and `ts` in microseconds. */
type Entry = {
  readonly cat: string
  readonly name: string
  readonly ts: number
  readonly dur: number
  readonly args?: { readonly provider?: string }
}

/** As the runtime writes them. */
const providers: Readonly<Record<string, Device>> = {
  CPUExecutionProvider: 'cpu',
  CUDAExecutionProvider: 'cuda',
  WebGpuExecutionProvider: 'webgpu',
  CoreMLExecutionProvider: 'coreml',
  DmlExecutionProvider: 'dml',
}

export type Profile = {
  readonly operators: Operators
  /** Where most of the time went, `undefined` if nothing ran. */
  readonly mostly: Device | undefined
}

/**
 * Reads what the last run did; the ones before it also pay for what happens once.
 *
 * @param json the profile of a session that has run at least once
 */
export const readProfile = (json: string): Profile => {
  const entries = JSON.parse(json) as readonly Entry[]
  const ends = entries.filter(({ name }) => name === 'model_run').map(({ ts, dur }) => ts + dur)
  const begin = ends.toSorted((a, b) => a - b).at(-2) ?? 0
  const operators: Partial<Record<Device, number>> = {}
  const time = new Map<Device, number>()
  for (const { cat, ts, dur, args } of entries) {
    const device = providers[args?.provider ?? '']
    if (cat !== 'Node' || ts < begin || !device) continue
    operators[device] = (operators[device] ?? 0) + 1
    time.set(device, (time.get(device) ?? 0) + dur)
  }
  const [mostly] = [...time].sort(([, a], [, b]) => b - a)[0] ?? []
  return { operators, mostly }
}
