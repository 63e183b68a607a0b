import { graphBytes } from '../models/disk.ts'
import { loadModel } from '../models/load.ts'
import type { Model } from '../models/model.ts'
import type { Precision } from '../settings.ts'
import { leastPreparedBytes } from './device.ts'
import { type OpenEncoder, openEncoder } from './encoder.ts'

/**
 * Runs a large model once, so that what is prepared for this machine is there before the first video; a small one has
 * nothing to prepare.
 *
 * @throws ModelError if its files are not there
 * @throws EncoderError if it does not run
 */
export const prepareModel = async (
  name: string,
  { precision, ...options }: OpenEncoder & { readonly precision?: Precision } = {},
): Promise<void> => {
  const model = await loadModel(name, { precision })
  const sizes = await Promise.all([model.image.file, model.text.file].map(graphBytes))
  if (sizes.some((bytes) => bytes >= leastPreparedBytes)) await tryModel(model, options)
}

/** Runs a model once. @throws EncoderError if it does not run */
export const tryModel = async (model: Model, options: OpenEncoder = {}): Promise<void> => {
  const encoder = await openEncoder(model, options)
  try {
    await encoder.encodePictures(new Uint8Array(model.image.size ** 2 * 3))
    await encoder.encodeTexts(['a red car'])
  } finally {
    await encoder.close()
  }
}
