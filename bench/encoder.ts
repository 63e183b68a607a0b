import { cpus } from 'node:os'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import type { Encoder, OpenEncoder } from '../src/encoder/encoder.ts'
import { openEncoder } from '../src/encoder/open.ts'
import { loadModel } from '../src/models/load.ts'
import { defaultModelName } from '../src/models/registry.ts'

/*
 * Speed of the encoder alone: pictures a second by batch size and number of threads, the longest time that the event loop
 * was held up meanwhile, milliseconds a query, and seconds to load.
 *
 *   npx tsx bench/encoder.ts [--model NAME] [--pictures 192] [--rounds 3] [--json]
 */

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: defaultModelName },
    pictures: { type: 'string', default: '192' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const pictures = Number(values.pictures)
const rounds = Number(values.rounds)
const model = await loadModel(values.model)
const pictureBytes = model.image.size ** 2 * 3

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

/** Milliseconds that `work` takes. */
const time = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const withEncoder = async <T>(options: OpenEncoder, use: (encoder: Encoder) => Promise<T>): Promise<T> => {
  const encoder = await openEncoder(model, options)
  try {
    return await use(encoder)
  } finally {
    await encoder.close()
  }
}

/** As an ingest does it: one batch is filled and handed over while another one runs. */
const encodeAll = async (encoder: Encoder): Promise<void> => {
  const batch = new Uint8Array(encoder.batchSize * pictureBytes)
  const running: Promise<unknown>[] = []
  for (let done = 0; done < pictures; done += encoder.batchSize) {
    if (running.length === 2) await running.shift()
    batch.fill(done % 256)
    running.push(encoder.encodePictures(batch))
  }
  await Promise.all(running)
}

type Result = {
  readonly threads: number | 'default'
  readonly batchSize: number
  readonly picturesASecond: number
  readonly stallMs: number
}

const measure = (batchSize: number, threads?: number): Promise<Result> =>
  withEncoder({ batchSize, threads }, async (encoder) => {
    await encoder.encodePictures(new Uint8Array(batchSize * pictureBytes))
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const ms = await time(() => encodeAll(encoder))
    delay.disable()
    const encoded = Math.ceil(pictures / batchSize) * batchSize
    return {
      threads: threads ?? 'default',
      batchSize,
      picturesASecond: (encoded / ms) * 1000,
      stallMs: delay.max / 1e6,
    }
  })

/** Rounds are interleaved, so that what else the machine does falls on all settings alike. */
const measureAll = async (): Promise<Result[]> => {
  const settings: [number, number?][] = [[1], [2], [4], [8], [16], [32], [16, 1], [16, 2]]
  const results: Result[][] = settings.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, [batchSize, threads]] of settings.entries()) results[i]!.push(await measure(batchSize, threads))
  }
  return results.map((of) => ({
    ...of[0]!,
    picturesASecond: median(of.map((result) => result.picturesASecond)),
    stallMs: Math.max(...of.map((result) => result.stallMs)),
  }))
}

const measureOnce = () =>
  withEncoder({}, async (encoder) => {
    const firstTextMs = await time(() => encoder.encodeTexts(['a red car']))
    const texts: number[] = []
    for (let i = 0; i < 50; i++) texts.push(await time(() => encoder.encodeTexts([`a red car number ${i}`])))
    const firstPictureMs = await time(() => encoder.encodePictures(new Uint8Array(pictureBytes)))
    return { firstTextMs, textMs: median(texts), firstPictureMs }
  })

const once = await measureOnce()
const results = await measureAll()
const machine = `${cpus().length} × ${cpus()[0]!.model}`
if (values.json) console.log(JSON.stringify({ model: model.id, machine, ...once, results }, null, 2))
else {
  console.log(`${model.id} on ${machine}`)
  console.log(
    `first text (worker, load and run) ${once.firstTextMs.toFixed(0)} ms, each further one ${once.textMs.toFixed(1)} ms`,
  )
  console.log(`first picture after it (load and run) ${once.firstPictureMs.toFixed(0)} ms`)
  console.table(
    results.map((r) => ({ ...r, picturesASecond: r.picturesASecond.toFixed(1), stallMs: r.stallMs.toFixed(1) })),
  )
}
