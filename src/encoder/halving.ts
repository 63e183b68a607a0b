import { type Rows, stack } from './rows.ts'

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
