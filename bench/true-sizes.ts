import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { InferenceSession, Tensor } from 'onnxruntime-node'
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
 *   npm run build && npx tsx bench/true-sizes.ts [--models FOLDER] [--python PATH] [--json FILE]
 *
 * FOLDER holds a model's folder each. Without it they are made by ../shared/clip-sizes, where that and PyTorch are there
 * (some ten minutes, once: they stay in bench/results/sizes), else nothing is run.
 */

const { values } = parseArgs({
  options: {
    models: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    program: { type: 'string', default: builtProgram },
    json: { type: 'string' },
  },
})

const names = ['clip-vit-b-32', 'clip-rn50x4', 'siglip-b-16', 'siglip2-b-256']
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

const pictures = 16

/** As an ingest does it: batches are handed over while others run. @returns a function that encodes them all */
const ofEncoder = async (model: Model) => {
  const encoder = await openEncoder(model)
  const batch = new Uint8Array(encoder.batchSize * 3 * model.image.size ** 2).fill(100)
  const encode = () =>
    Promise.all(Array.from({ length: pictures / encoder.batchSize }, () => encoder.encodePictures(batch)))
  return { encode, close: () => encoder.close() }
}

/** What the runtime gives by itself: one session of as many threads as it likes, one batch after the other. */
const ofLoop = async ({ image }: Model) => {
  const session = await InferenceSession.create(image.file, { executionProviders: ['cpu'] })
  const [input] = session.inputMetadata as InferenceSession.ValueMetadata[]
  const fixed = input?.isTensor && typeof input.shape[0] === 'number' ? input.shape[0] : undefined
  const count = fixed ?? image.batch ?? 4
  const pixels = new Float32Array(count * 3 * image.size ** 2).fill(0.1)
  const tensor = new Tensor('float32', pixels, [count, 3, image.size, image.size])
  const encode = async () => {
    for (let done = 0; done < pictures; done += count) await session.run({ [session.inputNames[0]!]: tensor })
  }
  return { encode, close: () => session.release() }
}

const rate = async (open: (model: Model) => ReturnType<typeof ofLoop | typeof ofEncoder>, model: Model) => {
  const { encode, close } = await open(model)
  await encode()
  const ms = await time(encode)
  await close()
  return (pictures / ms) * 1000
}

const measure = async (folder: string, home: string): Promise<Row> => {
  const model = await loadModel(folder)
  const [encoder, loop] = (await interleaved([ofEncoder, ofLoop], 3, (open) => rate(open, model))).map(median)
  const store = join(home, model.name)
  const settings = ['--store', store, '--model', folder]
  const index = ['index', clip, '--detail', 'whole', '--json', ...settings]
  const first = await runVidgrep(index, home, values.program)
  const again = await runVidgrep([...index, '--force'], home, values.program)
  const search = (words: string) => runVidgrep(['search', words, '--json', ...settings], home, values.program)
  await search('the first one prepares the network')
  const searches = []
  for (const words of ['a red car', 'two dogs', 'a blue door']) searches.push(await search(words))
  return {
    model: model.name,
    patchesASecond: encoder!,
    plainLoop: loop!,
    'of the loop': encoder! / loop!,
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
    'Plain loop: one session of the runtime with its own number of threads, one batch after the other.',
    'MB: the whole tree of processes, pages that several of them share counted once; first index: with preparing the network and the captions, once a machine.',
    'Cold search: a process of its own with new words, files in the page cache.',
  )
}
const title = 'Models of true sizes with random weights: 3 interleaved rounds of the encoder, 3 searches'
await report({ name: 'true-sizes', title, results, notes }, values.json)
