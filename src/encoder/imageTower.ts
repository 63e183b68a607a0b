import { Tensor } from 'onnxruntime-node'
import type { ImageTower } from '../models/model.ts'
import { pixelsToTensor } from './tensor.ts'
import { openSession, type Tower, type TowerSettings } from './tower.ts'

export type Output = { readonly data: Float32Array<ArrayBuffer>; readonly dims: readonly number[] }

/** @param pixels RGB, 8 bits, at least [count, size, size, 3]; `count` no more than the batch size */
export type RunPictures = (pixels: Uint8Array, count: number) => Promise<Output>

/** Loads the image tower. One tensor of a whole batch is kept and written anew each time. */
export const openImageTower = async (
  tower: ImageTower,
  settings: TowerSettings & { readonly batchSize: number },
): Promise<Tower<RunPictures>> => {
  const session = await openSession(tower.file, settings)
  const numbers = 3 * tower.size * tower.size
  const buffer = new Float32Array(settings.batchSize * numbers)
  const fill = pixelsToTensor(tower)
  return {
    run: async (pixels, count) => {
      fill(pixels, count, buffer)
      const input = new Tensor('float32', buffer.subarray(0, count * numbers), [count, 3, tower.size, tower.size])
      return toOutput((await session.run({ [tower.input]: input }, [tower.output]))[tower.output])
    },
    release: () => session.release(),
  }
}

/** Copied, as the runtime owns the memory of what it gives. */
export const toOutput = (tensor: Tensor | undefined): Output => {
  if (!(tensor?.data instanceof Float32Array)) throw new Error(`Expected float32 numbers, got ${tensor?.type}`)
  return { data: Float32Array.from(tensor.data), dims: tensor.dims }
}
