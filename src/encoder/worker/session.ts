import { env, InferenceSession, listSupportedBackends } from 'onnxruntime-node'
import type { Device } from '../../settings.ts'

/** A loaded half of a model. */
export type Tower<Run> = {
  readonly run: Run
  /** Writes the profile, if the session was opened to keep one. */
  endProfile(): void
  release(): Promise<void>
}

export type TowerSettings = {
  readonly device: Device
  readonly threads: number | undefined
  /** Beginning of the path of a file to write down what runs where. */
  readonly profile?: string
}

/** Whatever ends a call comes as an error of its own; what the runtime prints besides says nothing to a user. */
const nothing = { level: 'fatal', severity: 4 } as const

/**
 * Threads that have nothing to do wait asleep. Left to itself the runtime lets them spin, which gains 7% where it has the
 * cores to itself, and costs the decoders of an index run 15% of the whole on two cores.
 *
 * @throws if the file is no model that the runtime can load, or not on this device */
export const openSession = (file: string, { device, threads, profile }: TowerSettings): Promise<InferenceSession> => {
  env.logLevel = nothing.level
  return InferenceSession.create(file, {
    executionProviders: [device],
    logSeverityLevel: nothing.severity,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  })
}

/** What the runtime on this platform knows of, whether it is installed and works or not. */
export const supportedDevices = (): readonly string[] => listSupportedBackends().map(({ name }) => name)
