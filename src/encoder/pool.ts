import PQueue from 'p-queue'
import type { Model } from '../models/model.ts'
import type { DeviceChoice } from '../settings.ts'
import { type Answer, type Channel, openChannel, type Task } from './channel.ts'
import type { Placement } from './device.ts'

export type PoolSettings = {
  readonly model: Model
  readonly device: DeviceChoice
  /** Threads of each session on a CPU, by whether they share their weights. */
  readonly imageThreads: (isPrepared: boolean) => readonly number[]
  /** Threads of the text tower. */
  readonly textThreads: number | undefined
  /** Where graphs that are prepared for this machine's CPU lie; `undefined`: none are. */
  readonly preparedFolder: string | undefined
  readonly onNotice?: (notice: string) => void
}

/** Sessions of one model side by side, each in a worker of its own. */
export type Pool = {
  /** Sessions that share the pictures: on a CPU as many as were asked for and fit into memory, else one. */
  readonly size: number
  /** Of the image tower, once it is loaded. */
  readonly placement: Placement | undefined
  /** Loads the image tower in all sessions; after a failure it can be tried again. */
  load(): Promise<void>
  /**
   * Runs a batch in the session that has the least to do. Its pixels are copied before the promise is returned.
   *
   * @param signal keeps a batch that still waits from beginning
   */
  encodePictures(pixels: Uint8Array, signal: AbortSignal | undefined): Promise<Answer>
  /**
   * Texts are few and short, and somebody waits for them: they go before pictures, and all run in the first session, so
   * that the text tower is loaded once.
   */
  encodeTexts(texts: readonly string[], signal: AbortSignal | undefined): Promise<Answer>
  close(reason: unknown): Promise<void>
}

/** Batches inside a session's worker: one that runs, and one that waits, so that no time passes between the two. */
export const inFlight = 2

type Session = { readonly channel: Channel; running: number }

/**
 * The first session finds out what the model runs on; as soon as that is known to be the CPU, the others load beside it.
 * (The runtime has no way to run one session in several threads of Node.)
 */
export const openPool = ({ imageThreads, onNotice, ...settings }: PoolSettings): Pool => {
  let threads = imageThreads(true)
  const queue = new PQueue({ concurrency: inFlight * threads.length })
  const slabs = openSlabs(inFlight * threads.length + 1)
  const pictureBytes = settings.model.image.size ** 2 * 3
  const sessions: Session[] = []
  let placement: Placement | undefined
  let loading: Promise<void> | undefined
  let others: Promise<unknown> | undefined
  let closing: Promise<unknown> | undefined

  const add = (channel: Channel): Session => {
    const session = { channel, running: 0 }
    sessions.push(session)
    return session
  }
  const pictures = (session: Session, count: number, pixels: SharedArrayBuffer): Promise<Answer> =>
    run(session, { kind: 'pictures', count, pixels, threads: threads[sessions.indexOf(session)] ?? 1 })
  const loadIn = (session: Session): Promise<Answer> => pictures(session, 0, new SharedArrayBuffer(0))
  const run = async (session: Session, task: Task): Promise<Answer> => {
    session.running += 1
    try {
      return await session.channel.run(task)
    } finally {
      session.running -= 1
    }
  }
  const open = async (): Promise<void> => {
    placement = (await loadIn(first)).placement
    if (placement.device !== 'cpu') return
    if (!placement.isPrepared) {
      threads = imageThreads(false)
      await loadIn(first)
    }
    await addOthers()
  }
  const addOthers = (): Promise<unknown> => {
    others ??= Promise.all(threads.slice(sessions.length).map(addOther))
    return others
  }
  const addOther = async (): Promise<void> => {
    if (closing) return
    const session = add(openChannel({ ...settings, device: 'cpu' }, { onNotice }))
    // What the first one can load, the others can but for lack of memory: then there are fewer.
    await loadIn(session).catch(() => drop(session))
  }
  const first = add(openChannel(settings, { onNotice, onSharesWeights: addOthers }))
  const drop = async (session: Session): Promise<void> => {
    sessions.splice(sessions.indexOf(session), 1)
    await session.channel.close(undefined)
  }
  const load = (): Promise<void> => {
    loading ??= open().catch((error) => {
      loading = undefined
      others = undefined
      throw error
    })
    return loading
  }

  const inTurn = (task: () => Promise<Answer>, signal: AbortSignal | undefined, priority: number): Promise<Answer> =>
    queue.add(
      () => {
        signal?.throwIfAborted()
        return task()
      },
      { priority },
    )

  return {
    get size() {
      return placement ? sessions.length : threads.length
    },
    get placement() {
      return placement
    },
    load,
    encodePictures: async (batch, signal) => {
      const pixels = slabs.fill(batch)
      const encode = async (): Promise<Answer> => {
        await load()
        return pictures(leastBusy(sessions), batch.length / pictureBytes, pixels)
      }
      return inTurn(encode, signal, 0).finally(() => slabs.release(pixels))
    },
    encodeTexts: (texts, signal) => inTurn(() => run(first, { kind: 'texts', texts }), signal, 1),
    close: async (reason) => {
      closing ??= Promise.all(sessions.map(({ channel }) => channel.close(reason)))
      await closing
    },
  }
}

const leastBusy = (sessions: readonly Session[]): Session =>
  sessions.reduce((best, session) => (session.running < best.running ? session : best))

/**
 * Shared memory that pixels cross to a worker in, used again and again: enough for the batches inside the workers and one
 * that is being filled. A batch of 4 pictures of 224 × 224 takes 0.6 MB.
 */
const openSlabs = (kept: number) => {
  const free: SharedArrayBuffer[] = []
  return {
    fill: (pixels: Uint8Array): SharedArrayBuffer => {
      const last = free.pop()
      const slab = last && last.byteLength >= pixels.length ? last : new SharedArrayBuffer(pixels.length)
      new Uint8Array(slab).set(pixels)
      return slab
    },
    release: (slab: SharedArrayBuffer): void => {
      if (free.length < kept) free.push(slab)
    },
  }
}
