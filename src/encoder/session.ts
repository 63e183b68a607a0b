import { InferenceSession } from 'onnxruntime-node'

/** A loaded half of a model. */
export type Tower<Run> = {
  readonly run: Run
  release(): Promise<void>
}

export type TowerSettings = { readonly threads: number | undefined }

/** Only errors: the runtime's warnings (such as one on shapes that it works out itself) say nothing to a user. */
const onlyErrors = 3

/** @throws if the file is no model that the runtime can load */
export const openSession = (file: string, { threads }: TowerSettings): Promise<InferenceSession> =>
  InferenceSession.create(file, {
    executionProviders: ['cpu'],
    logSeverityLevel: onlyErrors,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  })
