import { parentPort, workerData } from 'node:worker_threads'
import { DeviceFailure } from './device.ts'
import { isOutOfMemory } from './halving.ts'
import { openImageTower, type RunPictures } from './imageTower.ts'
import { closeMessage, type Failure, type FromWorker, type Task, type WorkerSettings } from './messages.ts'
import { throughGate } from './nativeGate.ts'
import type { Placed } from './onDevice.ts'
import type { Rows } from './rows.ts'
import { openTextTower, type RunTexts } from './textTower.ts'

/*
 * The runtime blocks the thread that it runs on, so it runs here. Batches are worked off one after the other; the next
 * one already waits in the port, so that the processor has no pause between two.
 */

const port = parentPort!
const settings = workerData as WorkerSettings
const { model } = settings

let image: Promise<Placed<RunPictures>> | undefined
let text: Promise<Placed<RunTexts>> | undefined

const none: Rows = { data: new Float32Array(0), dims: [0] }

/** A tower loads at its first use: a search needs no image tower. Memory that was shared is read in place. */
const answer = async (task: Task): Promise<FromWorker> => {
  const { id } = task
  const file = task.kind === 'pictures' ? model.image.file : model.text.file
  let during: Failure['during'] = 'load'
  try {
    if (task.kind === 'pictures') {
      image ??= openImageTower(model.image, settings)
      const { run, placement } = await image
      during = 'run'
      const startedMs = performance.now()
      const rows = task.count > 0 ? await run(new Uint8Array(task.pixels), task.count) : none
      return { id, ...rows, truncated: [], placement, busyMs: performance.now() - startedMs }
    }
    text ??= openTextTower(model.text, settings)
    const { run, placement } = await text
    during = 'run'
    const startedMs = performance.now()
    return { id, ...(await run(task.texts)), placement, busyMs: performance.now() - startedMs }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof DeviceFailure) return { id, during: 'device', device: error.device, file, message }
    return { id, during: isOutOfMemory(error) ? 'memory' : during, file, message }
  }
}

const close = async (): Promise<void> => {
  for (const tower of await Promise.allSettled([image, text])) {
    if (tower.status === 'fulfilled') await tower.value?.release()
  }
  port.close()
}

let last: Promise<unknown> = Promise.resolve()

port.on('message', (message: Task | typeof closeMessage) => {
  last = last.then(async () => {
    if (message === closeMessage) return throughGate(settings.gate, close)
    const reply = await throughGate(settings.gate, () => answer(message))
    port.postMessage(reply, 'data' in reply ? [reply.data.buffer] : [])
  })
})
