import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export type Started = { readonly child: ReturnType<typeof spawn>; readonly ended: Promise<Ended> }

/** Nothing of the caller's own settings leaks in. */
const environmentOf = (environment: Readonly<Record<string, string>>): NodeJS.ProcessEnv => {
  const { PATH, HOME, TMPDIR, VIDGREP_FFMPEG, VIDGREP_FFPROBE, VIDGREP_COMPILED } = process.env
  const known = { PATH, HOME, TMPDIR, VIDGREP_FFMPEG, VIDGREP_FFPROBE, VIDGREP_COMPILED, ...environment }
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) as NodeJS.ProcessEnv
}

/**
 * Starts the program, as a shell would. `uid`: as this user; `cwd`: in this
 * folder; `input`: what it reads from standard input.
 */
export const start = (
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  uid?: number,
  cwd?: string,
  input?: string,
): Started => {
  const child = spawn(process.execPath, [main, ...words], {
    env: environmentOf(environment),
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    uid,
    cwd,
  })
  child.stdin?.end(input)
  let [stdout, stderr] = ['', '']
  child.stdout!.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr!.setEncoding('utf8').on('data', (text) => (stderr += text))
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { child, ended }
}

/**
 * Does what the program does in this process: the same, but that it begins at once. One call at a time. What has to do
 * with signals, users, folders or memory of a process of its own is asked of one: {@link start}.
 */
export const vidgrep = async (
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> => {
  const texts = { stdout: '', stderr: '' }
  const { argv, env, exitCode } = process
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      texts[name] += text
      return true
    }),
  )
  // The parser prints the help through it, past what Vitest makes of the console.
  const log = vi.spyOn(console, 'log').mockImplementation((text) => {
    texts.stdout += `${text}\n`
  })
  process.argv = [process.execPath, main, ...words]
  process.env = environmentOf(environment)
  try {
    await runProgram(process.argv)
    return { code: Number(process.exitCode), ...texts }
  } finally {
    Object.assign(process, { argv, env, exitCode })
    for (const spy of [log, ...spies]) spy.mockRestore()
    for (const stream of [process.stdout, process.stderr])
      stream.off('error', stream.rawListeners('error').at(-1) as () => void)
  }
}
