import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEncoder } from '../../../src/encoder/encoder.ts'
import {
  candidates,
  DeviceFailure,
  type OnDevice,
  openOnDevice,
  readProfile,
} from '../../../src/encoder/worker/onDevice.ts'
import { UsageError } from '../../../src/errors.ts'
import { loadModel } from '../../../src/models/load.ts'
import { deviceChoice } from '../../../src/settings.ts'

const graph = join(import.meta.dirname, '../../reference/graphs/image-hub.onnx')

/** An entry as the runtime writes it, here with times that tell the runs apart. */
const ran = (provider: string, ts: number, dur = 10) => ({
  cat: 'Node',
  name: 'x_kernel_time',
  ts,
  dur,
  args: { provider },
})
const ended = (ts: number, dur: number) => ({ cat: 'Session', name: 'model_run', ts, dur, args: {} })

describe('candidates', () => {
  test('are the GPUs that the platform knows, then the CPU', () => {
    expect(candidates('auto', ['cpu', 'webgpu', 'cuda', 'tensorrt'])).toEqual(['cuda', 'cpu'])
    expect(candidates('auto', ['cpu', 'coreml', 'webgpu'])).toEqual(['coreml', 'cpu'])
    expect(candidates('auto', ['cpu'])).toEqual(['cpu'])
  })

  test('are one alone where it was asked for by name', () => {
    expect(candidates('cuda', ['cpu'])).toEqual(['cuda'])
    expect(candidates('cpu', ['cpu', 'cuda'])).toEqual(['cpu'])
  })

  test('have names that are known', () => {
    expect(deviceChoice('webgpu')).toBe('webgpu')
    expect(() => deviceChoice('gpu')).toThrow(UsageError)
  })
})

describe('a profile', () => {
  test('counts the operators of the last run alone, and tells where its time went', () => {
    const json = JSON.stringify([
      ran('CPUExecutionProvider', 0, 5000),
      ran('CUDAExecutionProvider', 5000, 90000),
      ended(0, 100000),
      ran('CPUExecutionProvider', 100100, 50),
      ran('CUDAExecutionProvider', 100200, 700),
      ran('CUDAExecutionProvider', 101000, 100),
      ended(100050, 3000),
    ])
    expect(readProfile(json)).toEqual({ operators: { cpu: 1, cuda: 2 }, mostly: 'cuda' })
  })

  test('shows a provider that leaves nearly everything to the CPU', () => {
    const json = JSON.stringify([
      ran('CoreMLExecutionProvider', 1),
      ran('CPUExecutionProvider', 20, 400),
      ended(0, 500),
    ])
    expect(readProfile(json)).toEqual({ operators: { coreml: 1, cpu: 1 }, mostly: 'cpu' })
  })

  test('of nothing says so', () => {
    expect(readProfile('[]')).toEqual({ operators: {}, mostly: undefined })
  })
})

type Run = () => Promise<unknown>

/** Opens the graph on the CPU whatever device is asked for: what a runtime does that falls back in silence. */
const fallingBack = (change: Partial<OnDevice<Run>> = {}): OnDevice<Run> & { readonly opened: string[] } => {
  const opened: string[] = []
  return {
    candidates: ['cuda'],
    threads: 1,
    fileFor: () => graph,
    open: async (file, { device, profile }) => {
      opened.push(device)
      const session = await InferenceSession.create(file, {
        logSeverityLevel: 4,
        ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
      })
      return {
        run: () => session.run({ pixel_values: new Tensor('float32', new Float32Array(48), [1, 3, 4, 4]) }),
        endProfile: () => session.endProfiling(),
        release: () => session.release(),
      }
    },
    trial: (run) => run(),
    opened,
    ...change,
  }
}

const profileFolders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('vidgrep-profile-'))

describe('openOnDevice', () => {
  test('refuses a device by name whose work the runtime does on the CPU', async () => {
    const failure = await openOnDevice(fallingBack()).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(DeviceFailure)
    expect(failure).toMatchObject({ device: 'cuda', message: expect.stringMatching(/work to cpu: 2 operators on cpu/) })
  })

  test('goes on to the next where the choice is free, and keeps the reasons', async () => {
    const options = fallingBack({ candidates: ['cuda', 'coreml', 'cpu'] })
    const { placement, release } = await openOnDevice(options)
    expect(options.opened).toEqual(['cuda', 'coreml', 'cpu'])
    expect(placement).toMatchObject({ device: 'cpu', file: graph, operators: undefined })
    expect(placement.passedOver.map(({ device }) => device)).toEqual(['cuda', 'coreml'])
    await release()
  })

  test('leaves no profile behind', async () => {
    const before = await profileFolders()
    await (await openOnDevice(fallingBack({ candidates: ['cuda', 'cpu'] }))).release()
    expect((await profileFolders()).filter((name) => !before.includes(name))).toEqual([])
  })

  test('says of a damaged model that it is damaged, not that the device is missing', async () => {
    const damaged = join(import.meta.dirname, 'device.test.ts')
    const failure = await openOnDevice(fallingBack({ fileFor: () => damaged })).catch((error: unknown) => error)
    expect(failure).not.toBeInstanceOf(DeviceFailure)
    expect((failure as Error).message).toContain(damaged)
  })

  test('takes the file that is meant for the device', async () => {
    const files: string[] = []
    const options = fallingBack()
    const { placement } = await openOnDevice({
      ...options,
      candidates: ['cuda', 'cpu'],
      fileFor: (device) => (device === 'cpu' ? graph : `${graph}.half`),
      open: (file, settings) => {
        files.push(file)
        return options.open(file, settings)
      },
    })
    expect(files).toEqual([`${graph}.half`, graph])
    expect(placement.file).toBe(graph)
  })
})

describe('an encoder', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vidgrep-device-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('on the CPU, by name or where there is no other, says that it computes there', async () => {
    const model = await loadModel('starter')
    for (const device of ['cpu', 'auto'] as const) {
      const encoder = await openEncoder(model, { device })
      expect(encoder.placements).toEqual({})
      await encoder.encodeTexts(['a dog'])
      expect(encoder.placements.texts).toMatchObject({ device: 'cpu', file: model.text.file, passedOver: [] })
      expect(encoder.placements.pictures).toBeUndefined()
      await encoder.close()
    }
  })

  test('refuses a device that this machine does not have, for pictures and for texts', async () => {
    const model = await loadModel('starter')
    const device = process.platform === 'win32' ? 'coreml' : 'dml'
    const encoder = await openEncoder(model, { device })
    const refused = { code: 'device-unavailable', message: expect.stringContaining(device) }
    await expect(encoder.encodeTexts(['a dog'])).rejects.toMatchObject(refused)
    await expect(encoder.encodePictures(new Uint8Array(224 * 224 * 3))).rejects.toMatchObject(refused)
    await encoder.close()
  })

  test('refuses a device that has no name', async () => {
    await expect(openEncoder(await loadModel('starter'), { device: 'gpu' as never })).rejects.toThrow(UsageError)
  })

  test('prints nothing of what the runtime says about a missing provider', async () => {
    await writeFile(
      join(folder, 'script.mts'),
      `import { openSession } from ${JSON.stringify(join(import.meta.dirname, '../../../src/encoder/worker/session.ts'))}
      await openSession(${JSON.stringify(graph)}, { device: 'cuda', threads: 1 }).catch((error) => console.log('refused'))`,
    )
    const run = promisify(execFile)(process.execPath, ['--import', 'tsx', join(folder, 'script.mts')], {
      cwd: join(import.meta.dirname, '../../..'),
    })
    expect(await run).toMatchObject({ stdout: 'refused\n', stderr: '' })
  })
})

test('a real profile of the runtime is read as it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-device-'))
  const session = await InferenceSession.create(graph, {
    enableProfiling: true,
    profileFilePrefix: join(folder, 'run'),
  })
  const tensor = new Tensor('float32', new Float32Array(48), [1, 3, 4, 4])
  await session.run({ pixel_values: tensor })
  await session.run({ pixel_values: tensor })
  session.endProfiling()
  const [file] = await readdir(folder)
  expect(readProfile(await readFile(join(folder, file!), 'utf8'))).toEqual({ operators: { cpu: 2 }, mostly: 'cpu' })
  await session.release()
  await rm(folder, { recursive: true })
})
