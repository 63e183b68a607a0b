import { spawn } from 'node:child_process'

/*
 * A process of its own, and a small one: it starts programs for src/video/launcher.ts and hands what they write straight
 * on. When its standard input ends, because it was closed or whoever held it is gone, it ends them and itself.
 */

/** @typedef {{ id: number, file: string, args: readonly string[], env: NodeJS.ProcessEnv } | { id: number, kill: true }} Order */

/** @type {Map<number, import('node:child_process').ChildProcess>} */
const running = new Map()

/** @param {object} message @param {import('node:net').Socket} [pipe] */
const tell = (message, pipe) => {
  if (process.connected) process.send?.(message, pipe)
}

process.on('message', (/** @type {Order} */ order) => {
  const { id } = order
  if ('kill' in order) return void running.get(id)?.kill('SIGKILL')
  const child = spawn(order.file, order.args, { env: order.env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.on('error', (error) => tell({ id, error: error.message }))
  if (child.pid === undefined) return
  running.set(id, child)
  child.on('exit', (code, signalName) => {
    running.delete(id)
    tell({ id, code, signalName })
  })
  for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
    const pipe = /** @type {import('node:net').Socket} */ (child[name])
    // Whatever were read here would be missing there.
    Reflect.get(pipe, '_handle').readStop()
    tell({ id, name }, pipe)
  }
})

// The channel of the messages does not always tell its end: not while a pipe is on its way.
process.stdin.resume().on('close', () => {
  for (const child of running.values()) child.kill('SIGKILL')
  process.exit()
})

// Ctrl-C reaches all processes of a terminal at once; this one ends after the others.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
