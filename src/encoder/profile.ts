import type { Device, Operators } from './device.ts'

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
