import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { openIndex } from '../src/index.ts'
import type { Query } from './clips.ts'
import { type ProcessRun, runProcess } from './process.ts'
import { builtProgram, runVidgrep } from './program.ts'
import { allHits, orderOf } from './recall.ts'

/** What one whole process did that looked through some videos. */
export type Run = Omit<ProcessRun, 'stdout'> & {
  readonly frames: number
  /** Patches that went through the encoder. */
  readonly patches: number
  /** Time inside the encoder over the time of the process's work, 0–1; `null` where it is not told. */
  readonly encoderBusy: number | null
}

/** A program that looks through videos and can then be asked for them. */
export type Contender = {
  readonly name: string
  /** Looks through the videos, from nothing, in a process of its own. */
  index(files: readonly string[]): Promise<Run>
  /** Paths of the videos in the order in which each query finds them. */
  orders(files: readonly string[], queries: readonly Query[]): Promise<readonly (readonly string[])[]>
}

/** What the benches that compare whole programs are told on their command line. */
export const raceOptions = () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '3' },
      python: { type: 'string', default: 'python3' },
      program: { type: 'string', default: builtProgram },
      json: { type: 'string' },
    },
  })
  return { ...values, rounds: Number(values.rounds), folder: positionals[0] }
}

const model = new URL('../models/starter', import.meta.url).pathname
const articleProgram = new URL('./article.py', import.meta.url).pathname

/**
 * `vidgrep index` with these options.
 *
 * @param home folder for the program's own data and cache: what it measures of a GPU is remembered there
 */
export const vidgrep = (name: string, options: readonly string[], home: string, program = builtProgram): Contender => {
  const store = join(home, `store ${name}`)
  return {
    name,
    index: async (files) => {
      await rm(store, { recursive: true, force: true })
      const words = ['index', ...files, '--model', 'starter', '--store', store, '--json', ...options]
      const { stdout, ...run } = await runVidgrep(words, home, program)
      const { totals } = JSON.parse(stdout) as { totals: { frames: number; encoded: number; encoderBusy?: number } }
      return { ...run, frames: totals.frames, patches: totals.encoded, encoderBusy: totals.encoderBusy ?? null }
    },
    orders: async (_, queries) => {
      const index = await openIndex({ store })
      try {
        return (await allHits(index, queries)).map(orderOf)
      } finally {
        await index.close()
      }
    },
  }
}

/** The article's algorithm, bench/article.py, run by this Python. */
export const article = (python: string, home: string): Contender => {
  const run = async (files: readonly string[], options: readonly string[]) => {
    const { stdout, ...run } = await runProcess(python, [articleProgram, model, ...files, ...options])
    return { run, told: JSON.parse(stdout) as Told }
  }
  return {
    name: 'the article',
    index: async (files) => {
      const { run: process, told } = await run(files, [])
      const { frames, patches, encoderSeconds } = told
      return { ...process, frames, patches, encoderBusy: encoderSeconds / told.indexSeconds }
    },
    orders: async (files, queries) => {
      const list = join(home, 'queries.txt')
      await writeFile(list, queries.map(({ text }) => text).join('\n'))
      return (await run(files, ['--rank', list])).told.rankings
    },
  }
}

type Told = {
  readonly frames: number
  readonly patches: number
  readonly indexSeconds: number
  readonly encoderSeconds: number
  readonly rankings: readonly (readonly string[])[]
}

/** Why the article's algorithm cannot be run here, in a sentence; `undefined` if it can. */
export const articleMissing = async (python: string): Promise<string | undefined> => {
  try {
    await promisify(execFile)(python, ['-c', 'import cv2, numpy, onnxruntime, PIL, tokenizers'])
    return undefined
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    const why = (stderr || message).trim().split('\n').at(-1)
    return `The article's algorithm was not run: ${why} (bench/article.py says what it needs, --python PATH where it is).`
  }
}

/** Runs `work` with a temporary folder for vidgrep's own data, when vidgrep has run once. */
export const withHome = async <T>(clip: string, program: string, work: (home: string) => Promise<T>): Promise<T> => {
  const home = await mkdtemp(join(tmpdir(), 'vidgrep-bench-'))
  try {
    // The program and its model are read from the disk once, not by whoever comes first.
    await vidgrep('first', ['--detail', 'whole'], home, program).index([clip])
    return await work(home)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}
