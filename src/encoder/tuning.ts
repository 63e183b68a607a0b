import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { folders } from '../settings.ts'
import type { Device, DeviceChoice } from './device.ts'

/** What was measured to run best. */
export type Tuning = {
  readonly batchSize: number
  readonly picturesPerSecond: number
  /** What it was measured on. */
  readonly device: Device
  /** ISO 8601. */
  readonly measuredAt: string
}

export type TuningMemory = {
  read(key: string): Promise<Tuning | undefined>
  /** Forgets where `tuning` is `undefined`. */
  write(key: string, tuning: Tuning | undefined): Promise<void>
}

/** All that the fastest settings depend on. */
export const tuningKey = (modelId: string, choice: DeviceChoice): string => {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  return [modelId, cpus()[0]?.model ?? 'unknown', `${availableParallelism()} cores`, version, choice].join(' | ')
}

/**
 * A file in the cache folder. It can be deleted at any time; one that cannot be read or written only means that it is
 * measured again.
 */
export const tuningMemory = (file = join(folders().cache, 'tuning.json')): TuningMemory => {
  const readAll = async (): Promise<Record<string, Tuning>> => {
    try {
      return JSON.parse(await readFile(file, 'utf8'))
    } catch {
      return {}
    }
  }
  return {
    read: async (key) => (await readAll())[key],
    write: async (key, tuning) => {
      const beside = `${file}.${process.pid}`
      try {
        await mkdir(dirname(file), { recursive: true })
        await writeFile(beside, `${JSON.stringify({ ...(await readAll()), [key]: tuning }, null, 2)}\n`)
        await rename(beside, file)
      } catch {
        // A cache that cannot be written costs the next run a second or two.
      }
    },
  }
}
