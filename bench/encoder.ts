import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { batchFor, sideBySide } from '../src/encoder/device.ts'
import { type Encoder, type OpenEncoder, openEncoder } from '../src/encoder/encoder.ts'
import { defaultModelName } from '../src/models/disk.ts'
import { loadModel } from '../src/models/load.ts'
import { interleaved, median, time } from './measure.ts'
import { report } from './report.ts'

/*
 * Speed of the encoder alone: pictures a second by batch size, number of sessions and threads of each, the longest time
 * that the event loop was held up meanwhile, milliseconds a query, and the time to load.
 *
 *   npx tsx bench/encoder.ts [--model NAME] [--pictures 192] [--rounds 3] [--json FILE]
 */

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: defaultModelName },
    pictures: { type: 'string', default: '192' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
})
const pictures = Number(values.pictures)
const rounds = Number(values.rounds)
const model = await loadModel(values.model)
const pictureBytes = model.image.size ** 2 * 3

const withEncoder = async <T>(options: OpenEncoder, use: (encoder: Encoder) => Promise<T>): Promise<T> => {
  const encoder = await openEncoder(model, options)
  try {
    return await use(encoder)
  } finally {
    await encoder.close()
  }
}

/** As an ingest does it: batches are filled and handed over while others run. */
const encodeAll = async (encoder: Encoder): Promise<void> => {
  const batch = new Uint8Array(encoder.batchSize * pictureBytes)
  const running: Promise<unknown>[] = []
  for (let done = 0; done < pictures; done += encoder.batchSize) {
    batch.fill(done % 256)
    running.push(encoder.encodePictures(batch))
    if (running.length >= encoder.batchesAtOnce) await running.shift()
  }
  await Promise.all(running)
}

type Setting = Pick<OpenEncoder, 'sessions' | 'threads'> & { readonly batchSize: number }

/** What an ingest takes on a CPU. */
const shared = { sessions: (await sideBySide(model))(true).length }
const ownBatch = batchFor(model, 'cpu')

const settings: readonly Setting[] = [
  ...[1, 2, 4, 8, 16, 32].map((batchSize) => ({ batchSize, sessions: 1 })),
  { batchSize: ownBatch, sessions: 1, threads: 1 },
  ...[...new Set([2, ownBatch, 8])].map((batchSize) => ({ batchSize, ...shared })),
]

const measure = (setting: Setting) =>
  withEncoder(setting, async (encoder) => {
    const { batchSize } = setting
    await encoder.encodePictures(new Uint8Array(encoder.batchesAtOnce * batchSize * pictureBytes))
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const ms = await time(() => encodeAll(encoder))
    delay.disable()
    const encoded = Math.ceil(pictures / batchSize) * batchSize
    return { picturesASecond: (encoded / ms) * 1000, stallMs: delay.max / 1e6 }
  })

const measureOnce = () =>
  withEncoder({}, async (encoder) => {
    const firstTextMs = await time(() => encoder.encodeTexts(['a red car']))
    const texts: number[] = []
    for (let i = 0; i < 50; i++) texts.push(await time(() => encoder.encodeTexts([`a red car number ${i}`])))
    const firstPictureMs = await time(() => encoder.encodePictures(new Uint8Array(pictureBytes)))
    return { firstTextMs, textMs: median(texts), firstPictureMs }
  })

const { firstTextMs, textMs, firstPictureMs } = await measureOnce()
const measured = await interleaved(settings, rounds, measure)
const results = settings.map(({ batchSize, sessions = 1, threads }, i) => {
  const rates = measured[i]!.map(({ picturesASecond }) => picturesASecond)
  return {
    batchSize,
    sessions,
    threads: threads ?? 'one a core',
    picturesASecond: median(rates),
    slowest: Math.min(...rates),
    fastest: Math.max(...rates),
    stallMs: Math.max(...measured[i]!.map(({ stallMs }) => stallMs)),
  }
})
const notes = [
  `The first text takes ${firstTextMs.toFixed(0)} ms (load and run), each further one ${textMs.toFixed(1)} ms; the first picture after it ${firstPictureMs.toFixed(0)} ms.`,
  'Stall ms: longest time that the event loop of the caller was held up.',
]
const title = `The encoder alone: pictures a second, ${model.id}, medians of ${rounds} interleaved rounds of ${pictures}`
await report({ name: 'encoder', title, results, notes }, values.json)
