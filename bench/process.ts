import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

/** One whole process, from start to end, with all that it started. */
export type ProcessRun = {
  readonly stdout: string
  readonly seconds: number
  /** Most memory that the process and those under it held at one moment in MB (10⁶ bytes); `null` where there is no /proc. */
  readonly peakMB: number | null
}

/** Time between two looks at the memory in milliseconds: a look costs some milliseconds. */
const lookEveryMs = 200

/**
 * Runs a program to its end and measures it.
 *
 * @throws Error with what it wrote to stderr if it cannot be started or ends with another code than 0
 */
export const runProcess = (
  command: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ProcessRun> =>
  new Promise((resolve, reject) => {
    const startedMs = performance.now()
    const child = spawn(command, words, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr, peakBytes] = ['', '', 0]
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    const look = setInterval(() => (peakBytes = Math.max(peakBytes, memoryUnder(child.pid!))), lookEveryMs)
    child.on('error', (error) => {
      clearInterval(look)
      reject(error)
    })
    child.on('close', (code, signal) => {
      clearInterval(look)
      const seconds = (performance.now() - startedMs) / 1000
      if (code === 0) return resolve({ stdout, seconds, peakMB: peakBytes > 0 ? peakBytes / 1e6 : null })
      reject(new Error(`Expected ${command} ${words[0]} to end with 0, got ${code ?? signal}:\n${stderr.trim()}`))
    })
  })

/**
 * Bytes of memory of a process and all under it; pages that several of them share count once (PSS). 0 if unknown. A
 * child that has not begun its own program yet is left out: it shows its parent's memory as its own.
 */
const memoryUnder = (root: number): number => {
  const all = processes()
  const within = new Set([root])
  // A child may come before its parent in the list: once more, until nothing is added.
  for (let before = 0; before < within.size; ) {
    before = within.size
    for (const { pid, parent } of all) if (within.has(parent)) within.add(pid)
  }
  const hasBegun = (pid: number, parent: number): boolean => fileOf(pid, 'cmdline') !== fileOf(parent, 'cmdline')
  const counts = all.filter(({ pid, parent }) => pid === root || (within.has(pid) && hasBegun(pid, parent)))
  return counts.reduce((sum, { pid, bytes }) => sum + (sharedOut(pid) ?? bytes), 0)
}

/** A process's share of the pages that it holds, in bytes. https://docs.kernel.org/filesystems/proc.html */
const sharedOut = (pid: number): number | undefined => {
  const kilobytes = fileOf(pid, 'smaps_rollup').match(/^Pss:\s+(\d+)/m)?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
const processes = (): { pid: number; parent: number; bytes: number }[] => {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const status = fileOf(name, 'status')
        const number = (field: string) => Number(status.match(new RegExp(`^${field}:\\s+(\\d+)`, 'm'))?.[1] ?? 0)
        return { pid: Number(name), parent: number('PPid'), bytes: number('VmRSS') * 1024 }
      })
  } catch {
    return []
  }
}

const fileOf = (pid: string | number, file: 'status' | 'cmdline' | 'smaps_rollup'): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    // It has ended since it was listed.
    return ''
  }
}
