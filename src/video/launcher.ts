import { type ChildProcess, fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Ended, Program } from './program.ts'

/*
 * Node starts a program from a copy of its own process: with models in memory that takes 20 ms in which nothing else
 * runs, and afterwards each page that is written to has to be copied. Where the key frames of many short videos are
 * decoded, a fifth of the time goes there. So a small process is started once, and starts the others. Only on Linux:
 * elsewhere the system starts programs without a copy.
 */

export type Launcher = {
  /** @throws Error if the program cannot be started, or the launcher has ended */
  start(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Program>
}

let current: (Launcher & { close(): void }) | undefined
let users = 0

/** The one that is open, if one is. */
export const openedLauncher = (): Launcher | undefined => current

/** Has programs started by a process of their own until it is closed again. Several users share one. */
export const openLauncher = (): { close(): void } => {
  users += 1
  if (process.platform === 'linux') current ??= launch()
  return {
    close: () => {
      users -= 1
      if (users > 0) return
      current?.close()
      current = undefined
    },
  }
}

/** What the process tells of a program. */
type Told =
  | { readonly id: number; readonly name: 'stdout' | 'stderr' }
  | { readonly id: number; readonly error: string }
  | (Ended & { readonly id: number })

/** A program that was asked for. */
type Asked = {
  readonly pipes: { stdout?: Socket; stderr?: Socket }
  readonly started: () => void
  readonly failed: (error: Error) => void
  readonly exited: (end: Ended) => void
}

const launch = (): Launcher & { close(): void } => {
  const helper = fork(new URL('./launcherProcess.mjs', import.meta.url), {
    execArgv: [],
    stdio: ['pipe', 'ignore', 'ignore', 'ipc'],
  })
  const asked = new Map<number, Asked>()
  let ended: Error | undefined
  let nextId = 0
  rest(helper)

  helper.on('message', (told: Told, pipe: unknown) => {
    const program = asked.get(told.id)
    if ('name' in told) {
      const socket = pipe as Socket | undefined
      // A program that is ended breaks its pipes; that it has ended is told anyway.
      socket?.on('error', () => {})
      if (!program) return socket?.destroy()
      // No file may be left to be opened.
      if (!socket) return program.failed(new Error(`its ${told.name} did not arrive: too many open files`))
      program.pipes[told.name] = socket
      if (program.pipes.stdout && program.pipes.stderr) program.started()
    } else if ('error' in told) {
      program?.failed(new Error(told.error))
    } else {
      program?.exited({ code: told.code, signalName: told.signalName })
    }
  })
  const end = (how: string): void => {
    ended ??= new Error(`the process that starts programs has ended: ${how}`)
    for (const { failed } of asked.values()) failed(ended)
    if (current === launcher) current = undefined
  }
  helper.on('error', ({ message }) => end(message))
  helper.on('exit', (code, signalName) => end(`${code ?? signalName}`))

  const start: Launcher['start'] = (file, args, env) =>
    new Promise((resolve, reject) => {
      if (ended) return reject(ended)
      const id = nextId++
      const pipes: Asked['pipes'] = {}
      const exit = new Promise<Ended>((exited, lost) => {
        const failed = (error: Error): void => {
          for (const pipe of Object.values(pipes)) pipe.destroy()
          reject(error)
          lost(error)
        }
        const started = (): void => {
          const { stdout, stderr } = pipes as Required<Asked['pipes']>
          const closed = Promise.all([exit, closing(stdout), closing(stderr)]).then(([end]) => end)
          closed.catch(() => {})
          resolve({ stdout, stderr, ended: closed, kill: () => void send(helper, { id, kill: true }) })
        }
        asked.set(id, { pipes, started, failed, exited })
      })
      exit
        .catch(() => {})
        .finally(() => {
          asked.delete(id)
          if (asked.size === 0) rest(helper)
        })
      helper.channel?.ref()
      send(helper, { id, file, args, env })
    })

  const launcher = { start, close: () => helper.stdin?.destroy() }
  return launcher
}

const closing = (pipe: Socket): Promise<void> => new Promise((resolve) => pipe.once('close', () => resolve()))

/** Nothing waits for it: it does not keep this process alive. */
const rest = (helper: ChildProcess): void => {
  helper.unref()
  ;(helper.stdin as Socket).unref()
  helper.channel?.unref()
}

/** It may have ended at any moment, which is told by its end. */
const send = (helper: ChildProcess, order: object): void => {
  if (helper.connected) helper.send(order, () => {})
}
