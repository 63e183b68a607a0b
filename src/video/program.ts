import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { openedLauncher } from './launcher.ts'

/** A program that runs: ffmpeg or ffprobe. */
export type Program = {
  readonly stdout: Readable
  readonly stderr: Readable
  /** Settles once it is gone and all that it wrote was read or thrown away. */
  readonly ended: Promise<Ended>
  /** Ends it at once. */
  kill(): void
}

export type Ended = {
  readonly code: number | null
  /** The signal that ended it, if one did. */
  readonly signalName: NodeJS.Signals | null
}

/** @throws Error if it cannot be started */
export const startProgram = async (file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Program> => {
  const launcher = openedLauncher()
  try {
    if (launcher) return await launcher.start(file, args, env)
  } catch (error) {
    if (openedLauncher() === launcher) throw error
    // It was the launcher that ended.
  }
  return startHere(file, args, env)
}

const startHere = async (file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Program> => {
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signalName) => resolve({ code, signalName }))
  })
  await once(child, 'spawn')
  // Afterwards it tells only that it could not be ended, because it has ended.
  child.on('error', () => {})
  return { stdout: child.stdout, stderr: child.stderr, ended, kill: () => void child.kill('SIGKILL') }
}
