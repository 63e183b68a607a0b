import { env, InferenceSession, listSupportedBackends } from 'onnxruntime-node'
import type { Device } from '../../settings.ts'

/** A loaded half of a model. */
export type Tower<Run> = {
  readonly run: Run
  /** Writes the profile, if the session was opened to keep one. */
  endProfile(): void
  release(): Promise<void>
  /** It was opened from a prepared graph: its weights are shared with other sessions. */
  readonly isPrepared?: boolean
}

export type TowerSettings = {
  readonly device: Device
  readonly threads: number | undefined
  /** Beginning of the path of a file to write down what runs where. */
  readonly profile?: string
  /** The graph was optimised when it was prepared: doing it again costs a tenth of a second and changes nothing. */
  readonly isOptimised?: boolean
  /** Weights are used as they lie, not packed for the processor: opens twice as fast, computes two to four times as slowly. For a tower that runs once. */
  readonly isUnpacked?: boolean
  /** Writes the optimised graph, and its weights to a file beside it, as they are or also packed. */
  readonly write?: { readonly graph: string; readonly weightsName: string; readonly packed: boolean }
}

/** Whatever ends a call comes as an error of its own; what the runtime prints besides says nothing to a user. */
const nothing = { level: 'fatal', severity: 4 } as const

/**
 * Threads that have nothing to do wait asleep. Left to itself the runtime lets them spin, which gains 7% where it has the
 * cores to itself, and costs the decoders of an index run 15% of the whole on two cores.
 *
 * @throws if the file is no model that the runtime can load, or not on this device */
export const openSession = (
  file: string,
  { device, threads, profile, write, isOptimised, isUnpacked }: TowerSettings,
): Promise<InferenceSession> => {
  env.logLevel = nothing.level
  return InferenceSession.create(file, {
    executionProviders: [device],
    logSeverityLevel: nothing.severity,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(write && { optimizedModelFilePath: write.graph }),
    ...(isOptimised && { graphOptimizationLevel: 'disabled' }),
    extra: {
      session: {
        intra_op: { allow_spinning: '0' },
        ...(isUnpacked && { disable_prepacking: '1' }),
        ...(write && externalWeights(write)),
      },
    },
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  })
}

/** Names: https://github.com/microsoft/onnxruntime/blob/main/include/onnxruntime/core/session/onnxruntime_session_options_config_keys.h */
const externalWeights = ({ weightsName, packed }: NonNullable<TowerSettings['write']>) => ({
  optimized_model_external_initializers_file_name: weightsName,
  optimized_model_external_initializers_min_size_in_bytes: '1024',
  ...(packed && { save_external_prepacked_constant_initializers: '1' }),
})

/** What the runtime on this platform knows of, whether it is installed and works or not. */
export const supportedDevices = (): readonly string[] => listSupportedBackends().map(({ name }) => name)
