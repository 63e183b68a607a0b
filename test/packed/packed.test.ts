import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/**
 * The program as users get it: built, packed, unpacked where npm would put it, and started through its bin. Beside it lies
 * what it depends on, each a link to where this project has it, and nothing else. To install all of that anew would take
 * a minute, and tell nothing more of the program.
 */
const root = join(import.meta.dirname, '../..')
const clip = join(root, 'test/clips/bunny.mp4')

let folder: string
let app: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vidgrep-packed-'))
  await chmod(folder, 0o755)
  app = join(folder, 'app')
  await mkdir(app)
  await writeFile(join(app, 'package.json'), '{"private":true,"type":"module"}')
  const isBuilt = existsSync(join(root, 'dist/page/index.html'))
  await npm(root, 'pack', '--pack-destination', folder, ...(isBuilt ? ['--ignore-scripts'] : []))
  const packed = (await readdir(folder)).find((name) => name.endsWith('.tgz'))!
  const installed = join(app, 'node_modules/vidgrep')
  await mkdir(installed, { recursive: true })
  await promisify(execFile)('tar', ['-xzf', packed, '--strip-components=1', '-C', installed], { cwd: folder })
  const { dependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    const link = join(app, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(root, 'node_modules', name), link, 'junction')
  }
  await npm(app, 'rebuild', '--ignore-scripts')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const onWindows = process.platform === 'win32'

const npm = (cwd: string, ...words: string[]) =>
  promisify(execFile)(onWindows ? 'npm.cmd' : 'npm', words, { cwd, shell: onWindows, maxBuffer: 1 << 26 })

type Start = {
  readonly cwd?: string
  readonly uid?: number
  readonly stdout?: number | 'pipe'
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Nothing of the caller's settings leaks in; ffmpeg is the one that npm brought. */
const vidgrep = async (words: readonly string[], { cwd, uid, stdout = 'pipe', environment }: Start = {}) => {
  const carried = { VIDGREP_FFMPEG: 'carried', VIDGREP_FFPROBE: 'carried', VIDGREP_HOME: join(folder, 'home') }
  const env = { PATH: process.env.PATH, HOME: folder, ...carried, ...environment } as NodeJS.ProcessEnv
  const child = spawn(join(app, 'node_modules/.bin/vidgrep'), words, {
    env,
    cwd,
    uid,
    stdio: ['ignore', stdout, 'pipe'],
    shell: onWindows,
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    texts.stdout += text
  })
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    texts.stderr += text
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return { code, ...texts }
}

describe('the packed program', () => {
  it('says its version', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    expect(await vidgrep(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('indexes with the ffmpeg that npm brought, and searches', async () => {
    const indexed = await vidgrep(['index', clip, '--detail', 'whole', '--json'])
    expect(indexed).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(indexed.stdout).totals).toMatchObject({ complete: 1, frames: 6, points: 6 })
    const found = JSON.parse((await vidgrep(['search', 'a rabbit', '-n', '1', '--threshold', '-100', '--json'])).stdout)
    expect(found).toMatchObject({ model: 'starter-1', moments: [{ path: clip }] })
  })

  it('is a library with types', async () => {
    const script = "import { openIndex } from 'vidgrep'; console.log(typeof openIndex)"
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: app })
    expect(stdout).toBe('function\n')
    expect(existsSync(join(app, 'node_modules/vidgrep/dist/index.d.ts'))).toBe(true)
  })

  it.skipIf(onWindows)('limits the heaps of glibc before Node starts, and doctor says where nothing does', async () => {
    const arenaMax = (stdout: string): string =>
      JSON.parse(stdout).find(({ name }: { name: string }) => name === 'machine').details.MALLOC_ARENA_MAX
    if (process.platform !== 'linux') return
    expect(arenaMax((await vidgrep(['doctor', '--json'])).stdout)).toBe('2')
    const main = join(app, 'node_modules/vidgrep/dist/cli/main.js')
    const env = { PATH: process.env.PATH, VIDGREP_HOME: join(folder, 'home') } as NodeJS.ProcessEnv
    const { stdout } = await promisify(execFile)(process.execPath, [main, 'doctor', '--json'], { env })
    expect(arenaMax(stdout)).toMatch(/^not set: .*300 MB/)
  })
})

describe.skipIf(onWindows)('where the surroundings are broken', () => {
  it('gives help in a folder that was deleted, and names that folder where it is needed', async () => {
    const gone = join(folder, 'gone')
    const fromGone = async (words: string) => {
      await mkdir(gone)
      const script = `rmdir "${gone}"; exec "${join(app, 'node_modules/.bin/vidgrep')}" ${words}`
      const env = { PATH: process.env.PATH, VIDGREP_HOME: join(folder, 'home') } as NodeJS.ProcessEnv
      return promisify(execFile)('sh', ['-c', script], { cwd: gone, env }).then(
        ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
        ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
      )
    }
    expect(await fromGone('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('vidgrep search') })
    expect(await fromGone('videos')).toMatchObject({ code: 0, stdout: expect.stringContaining('bunny.mp4') })
    const index = await fromGone('index .')
    expect(index).toMatchObject({ code: 1, stderr: expect.stringContaining('The current folder no longer exists\n') })
  })

  it.skipIf(process.getuid?.() !== 0)(
    'gives help to a user without a home, and asks for one to keep data in',
    async () => {
      const homeless = { uid: 54_321, cwd: folder, environment: { HOME: undefined, VIDGREP_HOME: undefined } }
      expect(await vidgrep(['--help'], homeless)).toMatchObject({ code: 0, stderr: '' })
      const { code, stderr } = await vidgrep(['videos'], homeless)
      expect(code).toBe(2)
      expect(stderr).toMatch(/Expected a home folder.*\nSet HOME/)
    },
  )

  it.skipIf(!existsSync('/dev/full'))('says that the results found no space', async () => {
    const full = await open('/dev/full', 'w')
    const { code, stderr } = await vidgrep(['videos', '--json'], { stdout: full.fd })
    await full.close()
    expect(code).toBe(1)
    expect(JSON.parse(stderr).error).toMatchObject({ code: 'output', message: expect.stringMatching(/no space left/i) })
  })

  it.skipIf(!existsSync('/usr/bin/script'))('draws a bar with the time left on a terminal', async () => {
    const command = `"${join(app, 'node_modules/.bin/vidgrep')}" index "${clip}" --store "${join(folder, 'bar')}"`
    const env = { PATH: process.env.PATH, TERM: 'xterm', VIDGREP_HOME: join(folder, 'home') } as NodeJS.ProcessEnv
    const { stdout } = await promisify(execFile)('script', ['-qec', `stty cols 150; ${command}`, '/dev/null'], { env })
    expect(stdout).toMatch(/ 0% ─{24} 0\/1 videos · .* · ETA – · /)
    expect(stdout).toMatch(/\d+% ━+.* patches\/s · ETA .* · bunny\.mp4 00:00:0\d/)
    expect(stdout).toContain('1 video: 1 complete')
  })
})
