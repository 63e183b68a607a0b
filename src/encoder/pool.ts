import type { Placement } from './device.ts'
import type { Answer, Task, WorkerSettings } from './messages.ts'
import { closeGate, createGate } from './nativeGate.ts'
import { startWorker, type WorkerHandle } from './workerHandle.ts'

/** Pictures for the image tower; none of them loads it only. */
export type PictureTask = Omit<Task & { kind: 'pictures' }, 'id'>

/** Sessions of one model side by side, each in a worker of its own. */
export type Pool = {
  /** Sessions that pictures are shared out among: on a CPU as many as were asked for and fit into memory, else one. */
  readonly size: number
  /** Loads the image tower in all sessions. */
  load(): Promise<void>
  /** Runs in the session that has the least to do. */
  encodePictures(task: PictureTask): Promise<Answer>
  /** Texts are few and short: they all run in the first session, so that the text tower is loaded once. */
  encodeTexts(texts: readonly string[]): Promise<Answer>
  close(reason?: unknown): Promise<void>
}

type Session = { readonly worker: WorkerHandle; running: number }

const noPictures: PictureTask = { kind: 'pictures', count: 0, pixels: new SharedArrayBuffer(0) }

/**
 * The first session finds out what the model runs on; the others come when that is known to be the CPU. (The runtime has
 * no way to run one session in several threads of Node.)
 */
export const openPool = (options: Omit<WorkerSettings, 'gate'>, most: number): Pool => {
  const settings = { ...options, gate: createGate() }
  const atExit = () => closeGate(settings.gate)
  process.on('exit', atExit)
  const sessions: Session[] = []
  let placement: Placement | undefined
  let loading: Promise<void> | undefined
  let closing: Promise<unknown> | undefined

  const start = (): Session => {
    const session = { worker: startWorker(settings), running: 0 }
    sessions.push(session)
    return session
  }
  const first = start()
  const run = async (session: Session, task: PictureTask): Promise<Answer> => {
    session.running += 1
    try {
      return await session.worker.run(task)
    } finally {
      session.running -= 1
    }
  }
  const open = async (): Promise<void> => {
    placement = (await run(first, noPictures)).placement
    if (placement.device !== 'cpu') return
    while (sessions.length < most && !closing) start()
    // What the first one could load, the others can but for lack of memory: then there are fewer.
    const others = sessions.slice(1).map((session) => run(session, noPictures).catch(() => drop(session)))
    await Promise.all(others)
  }
  const drop = async (session: Session): Promise<void> => {
    sessions.splice(sessions.indexOf(session), 1)
    await session.worker.close()
  }
  const load = (): Promise<void> => (loading ??= open())

  return {
    get size() {
      return placement ? sessions.length : most
    },
    load,
    encodePictures: async (task) => {
      await load()
      return run(leastBusy(sessions), task)
    },
    encodeTexts: (texts) => first.worker.run({ kind: 'texts', texts }),
    close: async (reason) => {
      closing ??= Promise.all(sessions.map(({ worker }) => worker.close(reason)))
      await closing
      process.off('exit', atExit)
    },
  }
}

const leastBusy = (sessions: readonly Session[]): Session =>
  sessions.reduce((best, session) => (session.running < best.running ? session : best))
