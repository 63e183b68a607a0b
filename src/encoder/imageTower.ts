import { Tensor } from 'onnxruntime-node'
import type { ImageTower } from '../models/model.ts'
import { candidates, type DeviceChoice } from './device.ts'
import { graphOf, outputName, type PictureInput, pictureInput } from './graph.ts'
import { inParts } from './halving.ts'
import { openOnDevice, type Placed } from './onDevice.ts'
import { type Rows, rowsOf } from './rows.ts'
import { openSession, supportedDevices, type Tower, type TowerSettings } from './session.ts'
import { pixelsToTensor } from './tensor.ts'

/** @param pixels RGB, 8 bits, at least [count, size, size, 3]; `count` no more than the batch size */
export type RunPictures = (pixels: Uint8Array, count: number) => Promise<Rows>

export type ImageSettings = {
  readonly device: DeviceChoice
  readonly threads: number | undefined
  readonly batchSize: number
}

/** Loads the image tower on the device asked for; on a GPU its file in half precision, where there is one. */
export const openImageTower = (
  tower: ImageTower,
  { device, threads, batchSize }: ImageSettings,
): Promise<Placed<RunPictures>> =>
  openOnDevice({
    candidates: candidates(device, supportedDevices()),
    threads,
    fileFor: (on) => (on === 'cpu' ? tower.file : (tower.halfFile ?? tower.file)),
    open: (file, settings) => load({ ...tower, file }, batchSize, settings),
    trial: (run) => run(new Uint8Array(3 * tower.size * tower.size), 1),
  })

/** One tensor of a whole batch is kept and written anew each time. */
const load = async (tower: ImageTower, batchSize: number, settings: TowerSettings): Promise<Tower<RunPictures>> => {
  const session = await openSession(tower.file, settings)
  const input = pictureInput(graphOf(session), tower)
  const output = outputName(graphOf(session), tower.output)
  const atOnce = input.fixedBatch ?? batchSize
  const fill = filler(tower, input, atOnce)
  const bytes = 3 * tower.size * tower.size

  let pixels: Uint8Array
  const runAll = inParts(async (from, count) => {
    const tensor = fill(pixels.subarray(from * bytes), count, input.fixedBatch ?? count)
    return rowsOf((await session.run({ [input.name]: tensor }, [output]))[output], count)
  }, atOnce)
  return {
    run: (given, count) => {
      pixels = given
      return runAll(count)
    },
    endProfile: () => session.endProfiling(),
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
  const buffer = new (type === 'float16' ? Uint16Array : Float32Array)(atOnce * numbers)
  const toTensor = pixelsToTensor(tower, type)
  return (pixels, count, batch) => {
    toTensor(pixels, count, buffer)
    return new Tensor(type, buffer.subarray(0, batch * numbers), dims(batch))
  }
}
