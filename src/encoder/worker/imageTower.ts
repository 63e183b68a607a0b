import { Tensor } from 'onnxruntime-node'
import type { ImageTower } from '../../models/model.ts'
import type { DeviceChoice } from '../../settings.ts'
import type { Rows } from '../channel.ts'
import { graphOf, outputName, type PictureInput, pictureInput } from './graph.ts'
import { candidates, openOnDevice, type Placed } from './onDevice.ts'
import { openPrepared, type Preparation } from './prepared.ts'
import { openSession, supportedDevices, type Tower, type TowerSettings } from './session.ts'
import { pixelsToTensor, rowsOf, stack } from './tensors.ts'

/** @param pixels RGB, 8 bits, at least [count, size, size, 3] */
export type RunPictures = (pixels: Uint8Array, count: number) => Promise<Rows>

export type DeviceSettings = {
  readonly device: DeviceChoice
  readonly threads: number | undefined
  /** Where and how a graph is prepared for the CPU; left out: not at all. */
  readonly preparation?: Preparation
}

/** Loads the image tower on the device asked for; on a GPU its file in half precision, where there is one. */
export const openImageTower = (
  tower: ImageTower,
  { device, threads, preparation }: DeviceSettings,
): Promise<Placed<RunPictures>> => {
  const { file } = tower
  const ways = imageWays(tower)
  const settings = { device: 'cpu', threads } as const
  return openOnDevice({
    candidates: candidates(device, supportedDevices()),
    threads,
    fileFor: (on) => (on === 'cpu' ? file : (tower.halfFile ?? file)),
    openOnCpu: preparation && (() => openPrepared({ tower: { image: tower }, settings, ...ways }, preparation)),
    ...ways,
  })
}

/** How the tower is opened from a file, and tried. */
export const imageWays = (tower: ImageTower) => {
  const pixels = Uint8Array.from({ length: 3 * tower.size * tower.size }, (_, i) => (i * 31) % 251)
  return {
    open: (file: string, settings: TowerSettings) => load({ ...tower, file }, settings),
    trial: (run: RunPictures) => run(pixels, 1),
  }
}

const load = async (tower: ImageTower, settings: TowerSettings): Promise<Tower<RunPictures>> => {
  const session = await openSession(tower.file, { ...settings, isUnpacked: false })
  const input = pictureInput(graphOf(session), tower)
  const output = outputName(graphOf(session), tower.output)
  const fill = filler(tower, input)
  const bytes = 3 * tower.size * tower.size

  let pixels: Uint8Array
  const runAll = inParts(async (from, count) => {
    const tensor = fill(pixels.subarray(from * bytes), count, input.fixedBatch ?? count)
    return rowsOf((await session.run({ [input.name]: tensor }, [output]))[output], count)
  }, input.fixedBatch ?? Number.POSITIVE_INFINITY)
  return {
    run: (given, count) => {
      pixels = given
      return runAll(count)
    },
    endProfile: () => session.endProfiling(),
    release: () => session.release(),
  }
}

/** Gives `count` pictures as a tensor of `batch`; what is not full holds older ones. */
type Fill = (pixels: Uint8Array, count: number, batch: number) => Tensor

/** One tensor of the largest batch so far is kept and written anew each time. */
const filler = (tower: ImageTower, { type, dims }: PictureInput): Fill => {
  const numbers = 3 * tower.size * tower.size
  const toTensor = type === 'uint8' ? undefined : pixelsToTensor(tower, type)
  const open = (length: number) =>
    new ({ uint8: Uint8Array, float16: Uint16Array, float32: Float32Array })[type](length)
  let buffer = open(0)
  return (pixels, count, batch) => {
    if (buffer.length < batch * numbers) buffer = open(batch * numbers)
    if (buffer instanceof Uint8Array) buffer.set(pixels.subarray(0, count * numbers))
    else toTensor!(pixels, count, buffer)
    return new Tensor(type, buffer.subarray(0, batch * numbers), dims(batch))
  }
}

/** Runs `count` items, beginning at `from`. */
export type RunPart = (from: number, count: number) => Promise<Rows>

/**
 * Runs many items in parts of `most`. When a part does not fit into memory it is halved and tried again, and so are all
 * that follow: the memory will not come back by itself.
 */
export const inParts = (run: RunPart, most: number): ((count: number) => Promise<Rows>) => {
  let atOnce = most
  return async (count) => {
    const parts: Rows[] = []
    for (let at = 0; at < count; ) {
      const part = Math.min(atOnce, count - at)
      try {
        parts.push(await run(at, part))
        at += part
      } catch (error) {
        if (part === 1 || !isOutOfMemory(error)) throw error
        atOnce = Math.ceil(part / 2)
      }
    }
    return stack(parts)
  }
}

/**
 * What allocators say: the runtime's own on any device, C++'s, JavaScript's, CUDA's with cuBLAS and cuDNN, DirectX's and
 * WebGPU's. The runtime's error has no code to tell it by: https://github.com/microsoft/onnxruntime/issues/16307
 */
const outOfMemory = [
  /failed to allocate memory/i,
  /smaller than requested bytes/i,
  /bad[_ ]alloc/i,
  /array buffer allocation failed/i,
  /out[ _]?of[ _]?memory/i,
  /(?:CUBLAS|CUDNN)_STATUS_ALLOC_FAILED/,
  /not enough memory/i,
  /8007000E/i,
]

export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && outOfMemory.some((words) => words.test(error.message))
