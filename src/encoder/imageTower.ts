import { Tensor } from 'onnxruntime-node'
import type { ImageTower } from '../models/model.ts'
import { graphOf, outputName, type PictureInput, pictureInput } from './graph.ts'
import { type Rows, rowsOf, stack } from './rows.ts'
import { openSession, type Tower, type TowerSettings } from './session.ts'
import { pixelsToTensor } from './tensor.ts'

/** @param pixels RGB, 8 bits, at least [count, size, size, 3]; `count` no more than the batch size */
export type RunPictures = (pixels: Uint8Array, count: number) => Promise<Rows>

/** Loads the image tower. One tensor of a whole batch is kept and written anew each time. */
export const openImageTower = async (
  tower: ImageTower,
  settings: TowerSettings & { readonly batchSize: number },
): Promise<Tower<RunPictures>> => {
  const session = await openSession(tower.file, settings)
  const input = pictureInput(graphOf(session), tower)
  const output = outputName(graphOf(session), tower.output)
  const atOnce = input.fixedBatch ?? settings.batchSize
  const fill = filler(tower, input, atOnce)
  const bytes = 3 * tower.size * tower.size

  const runSome = async (pixels: Uint8Array, count: number): Promise<Rows> => {
    const tensor = fill(pixels, count, input.fixedBatch ?? count)
    return rowsOf((await session.run({ [input.name]: tensor }, [output]))[output], count)
  }
  return {
    run: async (pixels, count) => {
      const parts: Rows[] = []
      for (let at = 0; at < count; at += atOnce) {
        parts.push(await runSome(pixels.subarray(at * bytes), Math.min(atOnce, count - at)))
      }
      return stack(parts)
    },
    release: () => session.release(),
  }
}

/** Writes `count` pictures into the kept tensor and gives its first `batch`; what is not full holds older ones. */
type Fill = (pixels: Uint8Array, count: number, batch: number) => Tensor

const filler = (tower: ImageTower, { type, dims }: PictureInput, atOnce: number): Fill => {
  const numbers = 3 * tower.size * tower.size
  if (type === 'uint8') {
    const buffer = new Uint8Array(atOnce * numbers)
    return (pixels, count, batch) => {
      buffer.set(pixels.subarray(0, count * numbers))
      return new Tensor(type, buffer.subarray(0, batch * numbers), dims(batch))
    }
  }
  const buffer = new Float32Array(atOnce * numbers)
  const toTensor = pixelsToTensor(tower)
  return (pixels, count, batch) => {
    toTensor(pixels, count, buffer)
    return new Tensor(type, buffer.subarray(0, batch * numbers), dims(batch))
  }
}
