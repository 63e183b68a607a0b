import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Device, DeviceFailure, type Placement } from './device.ts'
import { readProfile } from './profile.ts'
import type { Tower, TowerSettings } from './session.ts'

export type Placed<Run> = Tower<Run> & { readonly placement: Placement }

export type OnDevice<Run> = {
  /** In the order in which they are tried; one alone was asked for by name. */
  readonly candidates: readonly Device[]
  /** Threads on the CPU; beside another device the runtime chooses. */
  readonly threads: number | undefined
  /** The tower's file on a device. */
  readonly fileFor: (device: Device) => string
  readonly open: (file: string, settings: TowerSettings) => Promise<Tower<Run>>
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
    if (device === 'cpu') return { ...(await onCpu(options)), placement: placed(options, device, passedOver) }
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
