import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export type Started = { readonly child: ReturnType<typeof spawn>; readonly ended: Promise<Ended> }

/**
 * Starts the program, as a shell would: nothing of the caller's settings leaks in. `uid`: as this user; `cwd`: in this
 * folder; `input`: what it reads from standard input.
 */
export const start = (
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  uid?: number,
  cwd?: string,
  input?: string,
): Started => {
  const { PATH, HOME, TMPDIR, VIDGREP_FFMPEG, VIDGREP_FFPROBE } = process.env
  const known = { PATH, HOME, TMPDIR, VIDGREP_FFMPEG, VIDGREP_FFPROBE, ...environment }
  const env = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined))
  const child = spawn(process.execPath, [main, ...words], {
    env: env as NodeJS.ProcessEnv,
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

export const vidgrep = (words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  start(words, environment).ended
