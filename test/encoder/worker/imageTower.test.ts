import { expect, test } from 'vitest'
import { inParts, isOutOfMemory } from '../../../src/encoder/worker/imageTower.ts'

const noRoom = 'BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 939524096'

/** Gives each item its own number; has room for `room` at once. */
const runner = (room: number, message = noRoom) => {
  const sizes: number[] = []
  const run = async (from: number, count: number) => {
    sizes.push(count)
    if (count > room) throw new Error(message)
    return { data: Float32Array.from({ length: count }, (_, i) => from + i), dims: [count, 1] }
  }
  return { sizes, run }
}

const upTo = (count: number) => Float32Array.from({ length: count }, (_, i) => i)

test('what fits runs in parts of the size asked for', async () => {
  const { run, sizes } = runner(8)
  expect(await inParts(run, 8)(20)).toEqual({ data: upTo(20), dims: [20, 1] })
  expect(sizes).toEqual([8, 8, 4])
})

test('what does not fit is halved until it does, with nothing lost, twice or out of order', async () => {
  const { run, sizes } = runner(3)
  const runAll = inParts(run, 16)
  expect(await runAll(16)).toEqual({ data: upTo(16), dims: [16, 1] })
  expect(sizes).toEqual([16, 8, 4, 2, 2, 2, 2, 2, 2, 2, 2])
})

test('the smaller size stays for what follows', async () => {
  const { run, sizes } = runner(4)
  const runAll = inParts(run, 8)
  await runAll(8)
  sizes.length = 0
  await runAll(8)
  expect(sizes).toEqual([4, 4])
})

test('one item that does not fit ends it, and so does any other failure at once', async () => {
  const full = runner(0)
  await expect(inParts(full.run, 4)(4)).rejects.toThrow(noRoom)
  expect(full.sizes).toEqual([4, 2, 1])
  const broken = runner(0, 'Got invalid dimensions for input: pixel_values')
  await expect(inParts(broken.run, 4)(4)).rejects.toThrow('invalid dimensions')
  expect(broken.sizes).toEqual([4])
})

test.each([
  noRoom,
  'Available memory of 12 is smaller than requested bytes of 4096',
  'std::bad_alloc',
  'CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc((void**)&p, size);',
  'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED',
  'Array buffer allocation failed',
  'D3D12 error 0x8007000E: Not enough memory resources are available',
])('"%s" is a lack of memory', (message) => {
  expect(isOutOfMemory(new Error(message))).toBe(true)
})

test('the real runtime says so too when it has no room', async () => {
  const { InferenceSession, Tensor } = await import('onnxruntime-node')
  const file = new URL('../../reference/graphs/huge.onnx', import.meta.url).pathname
  const session = await InferenceSession.create(file, { logSeverityLevel: 4 })
  const failure = await session.run({ length: new Tensor('int64', [2n ** 50n], [1]) }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(Error)
  expect(isOutOfMemory(failure)).toBe(true)
})
