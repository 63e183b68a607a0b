import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { openEncoder } from '../src/encoder/encoder.ts'
import { loadModel } from '../src/models/load.ts'
import type { Model } from '../src/models/model.ts'
import { carriedClips } from './clips.ts'
import { interleaved, median, time } from './measure.ts'
import { builtProgram, runVidgrep } from './program.ts'
import { type Row, report } from './report.ts'

/*
 * CLIP's and SigLIP's true architectures and sizes, with random weights: patches a second of the encoder beside a plain
 * loop of the runtime, memory while indexing, and a cold search. Weights that mean nothing cost what real ones cost.
 *
 *   npm run build && npx tsx bench/true-sizes.ts [--models FOLDER] [--names NAME,NAME] [--pictures N] [--python PATH] [--json FILE]
 *
 * FOLDER holds a model's folder each. Without it they are made by ../shared/clip-sizes, where that and PyTorch are there
 * (some ten minutes, once: they stay in bench/results/sizes), else nothing is run.
 */

const { values } = parseArgs({
  options: {
    models: { type: 'string' },
    names: { type: 'string', default: 'clip-vit-b-32,clip-rn50x4,siglip-b-16,siglip2-b-256' },
    pictures: { type: 'string', default: '32' },
    python: { type: 'string', default: 'python3' },
    program: { type: 'string', default: builtProgram },
    json: { type: 'string' },
  },
})

const names = values.names.split(',')
const scripts = new URL('../../shared/clip-sizes/', import.meta.url).pathname
const made = new URL('./results/sizes/', import.meta.url).pathname
const clip = join(carriedClips, 'street.mp4')

/** @returns the folder of models, or why there is none */
const findModels = (): { folder: string } | { reason: string } => {
  if (values.models) return { folder: values.models }
  const folder = join(made, 'models')
  if (existsSync(folder)) return { folder }
  if (!existsSync(scripts)) return { reason: 'the scripts that make the models are not there' }
  const python = (...words: string[]) =>
    execFileSync(values.python, words, { cwd: scripts, env: { ...process.env, ARCH: made }, stdio: 'pipe' })
  try {
    python('-c', 'import torch, transformers, open_clip, onnxscript')
  } catch {
    return { reason: `${values.python} has no PyTorch` }
  }
  for (const words of [['build_clip.py'], ['build_rn50x4.py'], ['build_siglip.py'], ['build_siglip.py', '2']])
    python(...words)
  python('make_folders.py')
  return { folder }
}

/** Pictures a measurement, by default two batches of the largest for each of two sessions. */
const pictures = Number(values.pictures)

/** As an ingest does it: batches are handed over while others run. @returns a function that encodes them all */
const ofEncoder = async (model: Model) => {
  const encoder = await openEncoder(model)
  const batch = new Uint8Array(encoder.batchSize * 3 * model.image.size ** 2).fill(100)
  const encode = () =>
    Promise.all(Array.from({ length: pictures / encoder.batchSize }, () => encoder.encodePictures(batch)))
  return { encode, close: () => encoder.close() }
}

/** What a plain loop around the runtime gives: sessions of some threads each, in threads of their own as they block. */
const loopOf = (threads: readonly number[]) => async (model: Model) => {
  const workers = await Promise.all(threads.map((each) => openLoop(model, each)))
  const encode = () => Promise.all(workers.map((worker) => ask(worker, pictures / workers.length)))
  return { encode, close: () => Promise.all(workers.map((worker) => worker.terminate())) }
}

const loopCode = `
  const { parentPort, workerData: { file, size, batch, threads } } = require('node:worker_threads')
  const { InferenceSession, Tensor } = require('onnxruntime-node')
  InferenceSession.create(file, { executionProviders: ['cpu'], intraOpNumThreads: threads }).then((session) => {
    const [{ name, shape }] = session.inputMetadata
    const count = typeof shape[0] === 'number' ? shape[0] : batch
    const tensor = new Tensor('float32', new Float32Array(count * 3 * size ** 2).fill(0.1), [count, 3, size, size])
    parentPort.on('message', async (wanted) => {
      for (let done = 0; done < wanted; done += count) await session.run({ [name]: tensor })
      parentPort.postMessage('done')
    })
    parentPort.postMessage('open')
  })`

const openLoop = async ({ image }: Model, threads: number): Promise<Worker> => {
  const { file, size, batch = 4 } = image
  const worker = new Worker(loopCode, { eval: true, workerData: { file, size, batch, threads } })
  await once(worker, 'message')
  return worker
}

const ask = (worker: Worker, count: number): Promise<unknown> => {
  worker.postMessage(count)
  return once(worker, 'message')
}

type Open = (
  model: Model,
) => Promise<{ readonly encode: () => Promise<unknown>; readonly close: () => Promise<unknown> }>

const rate = async (open: Open, model: Model): Promise<number> => {
  const { encode, close } = await open(model)
  await encode()
  const ms = await time(encode)
  await close()
  return (pictures / ms) * 1000
}

const cores = availableParallelism()
const rounds = 2

const measure = async (folder: string, home: string): Promise<Row> => {
  const model = await loadModel(folder)
  const store = join(home, model.name)
  const settings = ['--store', store, '--model', folder]
  const index = ['index', clip, '--detail', 'whole', '--json', ...settings]
  const first = await runVidgrep(index, home, values.program)
  const again = await runVidgrep([...index, '--force'], home, values.program)
  const search = (words: string) => runVidgrep(['search', words, '--json', ...settings], home, values.program)
  await search('the first one prepares the network')
  const ways = [ofEncoder, loopOf(Array(cores).fill(1)), loopOf([cores])]
  const [encoder, sessions, session] = (await interleaved(ways, rounds, (open) => rate(open, model))).map(median)
  const searches = []
  for (const words of ['a red car', 'two dogs', 'a blue door']) searches.push(await search(words))
  return {
    model: model.name,
    patchesASecond: encoder!,
    'loop, a session a core': sessions!,
    'loop, one session': session!,
    'of the better loop': encoder! / Math.max(sessions!, session!),
    indexMB: again.peakMB,
    'first index MB': first.peakMB,
    coldSearchSeconds: median(searches.map(({ seconds }) => seconds)),
    searchMB: Math.max(...searches.map(({ peakMB }) => peakMB ?? 0)) || null,
  }
}

const results: Row[] = []
const notes: string[] = []
const found = findModels()
if ('reason' in found) notes.push(`Not run: ${found.reason}.`)
else {
  const home = await mkdtemp(join(tmpdir(), 'vidgrep-bench-'))
  process.env.VIDGREP_HOME = home
  try {
    for (const name of names) {
      const folder = join(found.folder, name)
      if (existsSync(folder)) results.push(await measure(folder, home))
      else notes.push(`${name} was not there.`)
    }
  } finally {
    await rm(home, { recursive: true })
  }
  notes.push(
    'Loop: nothing but the runtime, one batch after the other, with a session of one thread for each core or one session of as many threads; its idle threads spin.',
    'MB: the whole tree of processes, pages that several of them share counted once; first index: with preparing the network and the captions, once a machine.',
    'Cold search: a process of its own with new words, files in the page cache.',
  )
}
const title = 'Models of true sizes with random weights: 2 interleaved rounds of the encoder and the loops, 3 searches'
await report({ name: 'true-sizes', title, results, notes }, values.json)
