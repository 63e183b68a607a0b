import { parentPort, workerData } from 'node:worker_threads'
import {
  type Answer,
  closeMessage,
  type Failure,
  type FromWorker,
  type Gate,
  outsideGate,
  type Rows,
  type Task,
  type ToWorker,
  throughGate,
  type WorkerSettings,
} from '../channel.ts'
import type { Placement } from '../device.ts'
import type { RunPictures } from './imageTower.ts'
import type { Placed } from './onDevice.ts'
import type { Preparation } from './prepared.ts'
import type { RunTexts } from './textTower.ts'

/*
 * The runtime blocks the thread that it runs on, so it runs here. Batches are worked off one after the other; the next
 * one already waits in the port, so that the processor has no pause between two.
 */

const port = parentPort!
const gate = workerData as Gate
/** Of the first message. */
let settings: WorkerSettings

// These load the runtime.
const [{ isOutOfMemory, openImageTower }, { DeviceFailure }, { openTextTower, prepareTextTower }] = await throughGate(
  gate,
  () => Promise.all([import('./imageTower.ts'), import('./onDevice.ts'), import('./textTower.ts')]),
)

const say = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)

const ending = new AbortController()

const preparation = (onPrepared?: () => void): Preparation | undefined => {
  const { preparedFolder } = settings
  return preparedFolder === undefined
    ? undefined
    : {
        folder: preparedFolder,
        waiting: (work) => outsideGate(gate, work),
        signal: ending.signal,
        onNotice: (notice) => say({ notice }),
        onPrepared,
      }
}

let image: Promise<Placed<RunPictures>> | undefined
let imageThreads: number | undefined
let text: Promise<Placed<RunTexts>> | undefined

/** A tower loads at its first use, and again after a failure: memory that was missing may be there by then. */
const imageTower = async (threads: number | undefined): Promise<Placed<RunPictures>> => {
  if (threads !== imageThreads) {
    await (await image)?.release()
    image = undefined
  }
  imageThreads = threads
  image ??= openImage(threads).catch((error) => {
    image = undefined
    throw error
  })
  return image
}

/**
 * Whoever encodes pictures wants captions too: the text tower is prepared before, as preparing takes most memory where
 * the image tower is open beside it. What fails is reported when a text comes.
 */
const openImage = async (threads: number | undefined): Promise<Placed<RunPictures>> => {
  const { model, device, textThreads } = settings
  const shared = { device, preparation: preparation(() => say({ sharesWeights: true })) }
  await prepareTextTower(model.text, { ...shared, threads: textThreads }).catch(() => {})
  return openImageTower(model.image, { ...shared, threads })
}

const textTower = (): Promise<Placed<RunTexts>> => {
  const { model, device, textThreads: threads } = settings
  text ??= openTextTower(model.text, { device, threads, preparation: preparation() }).catch((error) => {
    text = undefined
    throw error
  })
  return text
}

/** Memory that was shared is read in place. */
const answer = async (task: Task): Promise<Answer | Failure> => {
  const { image, text } = settings.model
  const { file } = task.kind === 'pictures' ? image : text
  let during: Failure['during'] = 'load'
  try {
    if (task.kind === 'pictures') {
      const { placement, run } = await imageTower(task.threads)
      during = 'run'
      return await timed(placement, () => run(new Uint8Array(task.pixels), task.count))
    }
    const { placement, run } = await textTower()
    during = 'run'
    return await timed(placement, () => run(task.texts))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof DeviceFailure) return { during: 'device', device: error.device, file, message }
    return { during: isOutOfMemory(error) ? 'memory' : during, file, message }
  }
}

const timed = async (placement: Placement, run: () => Promise<Rows>): Promise<Answer> => {
  const startedMs = performance.now()
  return { ...(await run()), placement, busyMs: performance.now() - startedMs }
}

const close = async (): Promise<void> => {
  for (const tower of await Promise.allSettled([image, text])) {
    if (tower.status === 'fulfilled') await tower.value?.release()
  }
  port.close()
}

let last: Promise<unknown> = Promise.resolve()

port.on('message', (message: ToWorker) => {
  if (message === closeMessage) ending.abort()
  else if ('model' in message) {
    settings = message
    return
  }
  last = last.then(async () => {
    if (message === closeMessage) return throughGate(gate, close)
    const { id, ...task } = message
    const reply = await throughGate(gate, () => answer(task))
    say({ id, ...reply }, 'data' in reply ? [reply.data.buffer] : [])
  })
})
