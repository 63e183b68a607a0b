import { Worker } from 'node:worker_threads'
import { VidgrepError } from '../errors.ts'
import type { Model } from '../models/model.ts'
import type { Device, DeviceChoice } from '../settings.ts'
import type { Placement } from './device.ts'

/*
 * Both ends of the way into an encoder's worker: what is sent, what comes back, and the gate that keeps the process from
 * ending while the runtime computes.
 */

/** The model could not be loaded, could not run, or gave something that is no embedding. */
export class EncoderError extends VidgrepError {}

/** What a worker is started with. */
export type WorkerSettings = {
  readonly model: Model
  readonly device: DeviceChoice
  /** Threads of the text tower on a CPU; `undefined`: the runtime's own choice. */
  readonly textThreads: number | undefined
  /** Where graphs that are prepared for this machine's CPU lie; `undefined`: none are. */
  readonly preparedFolder: string | undefined
}

/**
 * One batch of pictures or texts; no pictures only load the image tower. `pixels` is shared memory that the worker reads
 * until it has answered.
 */
export type Task =
  | {
      readonly kind: 'pictures'
      readonly count: number
      readonly pixels: SharedArrayBuffer
      /** Threads of the image tower on a CPU. */
      readonly threads: number
    }
  | { readonly kind: 'texts'; readonly texts: readonly string[] }

/** Numbers in row order and their shape. */
export type Rows = { readonly data: Float32Array<ArrayBuffer>; readonly dims: readonly number[] }

export type Answer = Rows & {
  /** Of the tower that gave it. */
  readonly placement: Placement
  /** Milliseconds that it took, loading the model not counted. */
  readonly busyMs: number
  /** What is to be said of each text. */
  readonly notes?: readonly TextNotes[]
}

export type TextNotes = {
  /** It is longer than the model's context: only its beginning was encoded. */
  readonly truncated: boolean
  /** The model's vocabulary has nothing of it: the embedding says nothing. */
  readonly unknown: boolean
}

export type Failure = {
  /** Whether the model could not be loaded, the device could not run it, or it ran and failed, perhaps for lack of memory. */
  readonly during: 'load' | 'device' | 'run' | 'memory'
  /** The one that was asked for by name, if that is what failed. */
  readonly device?: Device
  readonly file: string
  readonly message: string
}

/** Only the first answers a task; a notice is for the user. */
export type FromWorker =
  | ({ readonly id: number } & (Answer | Failure))
  | { readonly notice: string }
  /** It loads its image tower on the CPU, with weights that others can share: they need not wait until that is done. */
  | { readonly sharesWeights: true }

export type ChannelListeners = {
  readonly onNotice?: (notice: string) => void
  readonly onSharesWeights?: () => void
}

/** The settings come first. */
export type ToWorker = WorkerSettings | (Task & { readonly id: number }) | typeof closeMessage

/** Asks the worker to free its memory and to end. */
export const closeMessage = 'close'

/** The caller's end of a worker: a task goes in, a promise comes out. */
export type Channel = {
  run(task: Task): Promise<Answer>
  /** @param reason what the calls that still run reject with */
  close(reason: unknown): Promise<void>
}

type Call = { readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void }

type Running = { readonly worker: Worker; readonly calls: Map<number, Call>; readonly exited: Promise<void> }

/**
 * Starts a worker at the first task. It keeps the process alive only while it has something to do. One that crashed, for
 * lack of memory for instance, takes its calls with it and is replaced at the next task.
 */
export const openChannel = (settings: WorkerSettings, listeners: ChannelListeners = {}): Channel => {
  let running: Running | undefined
  let closed: { readonly reason: unknown } | undefined
  let nextId = 0
  return {
    run: (task) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(closed.reason)
        running ??= start(settings, {
          ...listeners,
          onEnd: () => {
            running = undefined
          },
        })
        const id = nextId++
        running.calls.set(id, { resolve, reject })
        running.worker.ref()
        running.worker.postMessage({ ...task, id } satisfies ToWorker)
      }),
    close: async (reason) => {
      closed ??= { reason }
      if (!running) return
      const { worker, calls, exited } = running
      rejectAll(calls, closed.reason)
      worker.ref()
      worker.postMessage(closeMessage)
      await exited
    },
  }
}

type Listeners = ChannelListeners & { readonly onEnd: () => void }

const start = (settings: WorkerSettings, { onNotice, onSharesWeights, onEnd }: Listeners): Running => {
  const worker = takeSpare() ?? spawn()
  worker.postMessage(settings satisfies ToWorker)
  const calls = new Map<number, Call>()
  const crash = (error: EncoderError): void => {
    rejectAll(calls, error)
    onEnd()
  }
  worker.on('message', (from: FromWorker) => {
    if ('notice' in from) return onNotice?.(from.notice)
    if ('sharesWeights' in from) return onSharesWeights?.()
    const { id, ...message } = from
    const call = calls.get(id)
    calls.delete(id)
    // An answer to a call that closing rejected: the process has to stay until the worker has ended.
    if (!call) return
    if (calls.size === 0) worker.unref()
    if ('data' in message) call.resolve(message)
    else call.reject(modelFailure(message, settings.model))
  })
  worker.on('error', (cause) => crash(crashed(`: ${cause.message}`, cause)))
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      crash(crashed(` (exit code ${code})`))
      resolve()
    })
  })
  worker.unref()
  return { worker, calls, exited }
}

const rejectAll = (calls: Map<number, Call>, error: unknown): void => {
  for (const { reject } of calls.values()) reject(error)
  calls.clear()
}

/** A worker that has no model yet. */
let spare: Worker | undefined

/** Starts a worker before it is known for which model: the runtime takes long to load. The next channel takes it. */
export const startEarly = (): void => {
  if (spare) return
  const worker = spawn()
  const forget = () => {
    if (spare === worker) spare = undefined
  }
  // Whoever needs a worker starts another one then, and hears what is wrong with it.
  worker.on('error', forget).on('exit', forget).unref()
  spare = worker
}

const takeSpare = (): Worker | undefined => {
  const worker = spare
  spare = undefined
  return worker
}

/**
 * The compiled worker, or the source by way of a loader when this file is the source itself. Flags that the process was
 * started with are not handed on: some, such as --input-type, would keep a worker from starting.
 */
const spawn = (): Worker => {
  const { file, argv } = moduleFile('worker')
  const gate = openGate()
  const worker = new Worker(file, { workerData: gate, argv, execArgv: [] })
  return worker.on('exit', () => gates.delete(gate))
}

/** What is started to run a module of the worker's folder, with the words after it. */
export const moduleFile = (name: 'worker' | 'optimise'): { readonly file: URL; readonly argv: string[] } =>
  import.meta.url.endsWith('.ts')
    ? { file: new URL('./worker/fromSource.mjs', import.meta.url), argv: [name] }
    : { file: new URL(`./worker/${name}.js`, import.meta.url), argv: [] }

const modelFailure = ({ during, file, message, device }: Failure, { name }: Model): EncoderError => {
  if (during === 'device') {
    return new EncoderError('device-unavailable', `Expected ${file} to run on ${device}, got: ${message}`, {
      remedy: 'Use --device cpu, or set up the GPU as docs/gpu.md says',
    })
  }
  if (during === 'memory') {
    return new EncoderError('out-of-memory', `Expected enough memory to run ${file}, got: ${message}`, {
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
  new EncoderError('encoder-crashed', `Expected the encoder to keep running, but it ended${how}`, {
    remedy: 'Try again with less memory in use: a smaller batch, or fewer other programs',
    cause,
  })

/*
 * A process that ends while the runtime loads or computes in another thread is aborted by the runtime, with a core dump
 * and a wrong exit code. So a worker shows in shared memory when it is inside the runtime, and the process waits for that
 * at its end: at most for one batch, or for a model to load.
 */

/** Shared memory: how often a worker is inside the runtime, and whether it may enter it again. */
export type Gate = Int32Array

const inside = 0
const stopped = 1

/** Of the workers that run. */
const gates = new Set<Gate>()

const openGate = (): Gate => {
  const gate = new Int32Array(new SharedArrayBuffer(8))
  if (gates.size === 0) process.off('exit', closeGates).on('exit', closeGates)
  gates.add(gate)
  return gate
}

/** Runs `work`, which may enter the runtime, in a worker; never begins it, nor resolves, once the process is ending. */
export const throughGate = async <T>(gate: Gate, work: () => Promise<T>): Promise<T> => {
  Atomics.add(gate, inside, 1)
  try {
    if (Atomics.load(gate, stopped) === 0) return await work()
  } finally {
    leave(gate)
  }
  return new Promise(() => {})
}

/** Waits, inside of {@link throughGate}, for what is not in the runtime of this process; the end of it does not wait for that. */
export const outsideGate = async <T>(gate: Gate, work: () => Promise<T>): Promise<T> => {
  leave(gate)
  try {
    return await work()
  } finally {
    Atomics.add(gate, inside, 1)
    if (Atomics.load(gate, stopped) !== 0) {
      leave(gate)
      await new Promise(() => {})
    }
  }
}

const leave = (gate: Gate): void => {
  Atomics.sub(gate, inside, 1)
  Atomics.notify(gate, inside)
}

/** Longest wait at the end of the process, in milliseconds: longer than any batch takes. */
const patienceMs = 30_000

/** Lets nothing in any more and blocks this thread until the workers are out of the runtime. */
const closeGates = (): void => {
  for (const gate of gates) Atomics.store(gate, stopped, 1)
  const startedMs = performance.now()
  for (const gate of gates) {
    for (let count = Atomics.load(gate, inside); count > 0; count = Atomics.load(gate, inside)) {
      const leftMs = patienceMs - (performance.now() - startedMs)
      if (leftMs <= 0 || Atomics.wait(gate, inside, count, leftMs) === 'timed-out') return
    }
  }
}
