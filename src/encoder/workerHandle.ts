import { Worker } from 'node:worker_threads'
import type { Model } from '../models/model.ts'
import { EncoderError } from './encoder.ts'
import { type Answer, closeMessage, type Failure, type FromWorker, type Task, type WorkerSettings } from './messages.ts'

/** The worker's end on this side: a task goes in, a promise comes out. */
export type WorkerHandle = {
  run(task: Omit<Task & { kind: 'pictures' }, 'id'> | Omit<Task & { kind: 'texts' }, 'id'>): Promise<Answer>
  /** @param reason what the calls that still run reject with; default: an EncoderError of code `encoder-closed` */
  close(reason?: unknown): Promise<void>
}

type Waiting = { readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void }

/** Starts the worker. It keeps the process alive only while it has something to do. */
export const startWorker = (settings: WorkerSettings): WorkerHandle => {
  const worker = spawn(settings)
  const waiting = new Map<number, Waiting>()
  let ended: unknown
  let nextId = 0

  const end = (error: unknown): void => {
    ended ??= error
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  const settle = (message: FromWorker): void => {
    const call = waiting.get(message.id)
    waiting.delete(message.id)
    if (waiting.size === 0 && !ended) worker.unref()
    if ('data' in message) call?.resolve(message)
    else call?.reject(modelFailure(message, settings.model))
  }

  worker.on('message', settle)
  worker.on('error', (cause) => end(crashed(`: ${cause.message}`, cause)))
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      end(crashed(` (exit code ${code})`))
      resolve()
    })
  })
  worker.unref()

  return {
    run: (task) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(ended)
        const id = nextId++
        waiting.set(id, { resolve, reject })
        worker.ref()
        worker.postMessage({ ...task, id })
      }),
    close: async (reason) => {
      end(reason ?? closed())
      worker.ref()
      worker.postMessage(closeMessage)
      await exited
    },
  }
}

/**
 * The compiled worker, or the source by way of a loader when this file is the source itself. Flags that the process was
 * started with are not handed on: some, such as --input-type, would keep a worker from starting.
 */
const spawn = (workerData: WorkerSettings): Worker => {
  const file = import.meta.url.endsWith('.ts') ? './workerFromSource.mjs' : './worker.js'
  return new Worker(new URL(file, import.meta.url), { workerData, execArgv: [] })
}

const modelFailure = ({ during, file, message, device }: Failure, { name }: Model): EncoderError => {
  if (during === 'device') {
    return new EncoderError('device-unavailable', `Expected ${file} to run on ${device}, got: ${message}`, {
      remedy: `Use --device cpu; how a GPU is set up: docs/gpu.md`,
    })
  }
  if (during === 'memory') {
    return new EncoderError('out-of-memory', `Expected memory enough to run ${file}, got: ${message}`, {
      remedy: 'End other programs, or take a smaller model: vidgrep models list',
    })
  }
  if (during === 'load') {
    return new EncoderError('model-unreadable', `Expected ${file} to be a model that can be loaded, got: ${message}`, {
      remedy: `The file may be damaged: vidgrep models verify ${name}`,
    })
  }
  return new EncoderError('encoding-failed', `Expected ${file} to give embeddings, got: ${message}`, {
    remedy: `Check that the model's description fits its files: vidgrep models verify ${name}`,
  })
}

const crashed = (how: string, cause?: unknown): EncoderError =>
  new EncoderError('encoder-crashed', `Expected the encoder to run on, got its end${how}`, {
    remedy: 'Try again with less memory in use: a smaller batch, or fewer other programs',
    cause,
  })

const closed = (): EncoderError =>
  new EncoderError('encoder-closed', 'Expected an open encoder, got one that was closed', {
    remedy: 'Open the encoder again before encoding with it',
  })
