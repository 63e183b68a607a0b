import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { findTool } from '../src/video/ffmpeg.ts'
import { table } from './table.ts'

/** What the figures were measured on. */
export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGB: number
  readonly node: string
  readonly ffmpeg: string
  readonly onnxruntime: string
}

/** One line of a bench's table: keys are the columns, in words that {@link table} spells out, units in the names. */
export type Row = Readonly<Record<string, string | number | null>>

/** What a bench found out. */
export type Findings = {
  /** Name of the file without its ending. */
  readonly name: string
  /** One line over the table: what was measured, on what, how often. */
  readonly title: string
  readonly results: readonly Row[]
  /** How to read it, and what could not be run and why. A sentence each. */
  readonly notes?: readonly string[]
}

export type Report = Findings & {
  readonly machine: Machine
  /** ISO 8601. */
  readonly measuredAt: string
}

export const describeMachine = async (): Promise<Machine> => {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  const { path } = await findTool('ffmpeg')
  const { stdout } = await promisify(execFile)(path, ['-version'])
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    ffmpeg: stdout.match(/^ffmpeg version (\S+)/)?.[1] ?? 'unknown',
    onnxruntime: version,
  }
}

/** "2 × AMD EPYC, 24 GB, Node 20.20.0, ffmpeg 5.1.9, ONNX Runtime 1.30.0" */
export const machineLine = ({ cpu, cores, memoryGB, node, ffmpeg, onnxruntime }: Machine): string =>
  `${cores} × ${cpu}, ${memoryGB} GB, Node ${node}, ffmpeg ${ffmpeg}, ONNX Runtime ${onnxruntime}`

/** Prints a bench's table and notes, and writes them as JSON where a file is given. */
export const report = async (findings: Findings, jsonFile?: string): Promise<void> => {
  const { name, title, results, notes = [] } = findings
  console.log(`${title}\n`)
  if (results.length > 0) console.log(table(results))
  for (const note of notes) console.log(`* ${note}`)
  if (jsonFile === undefined) return
  const rounded = results.map((row) =>
    Object.fromEntries(Object.entries(row).map(([key, value]) => [key, round(value)])),
  )
  const measuredAt = new Date().toISOString()
  const written: Report = { name, title, measuredAt, machine: await describeMachine(), results: rounded, notes }
  await mkdir(dirname(jsonFile), { recursive: true })
  await writeFile(jsonFile, `${JSON.stringify(written, null, 2)}\n`)
}

/** No figure here is good to more than four digits. */
const round = (value: string | number | null): string | number | null =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value
