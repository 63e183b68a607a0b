import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { buffer, text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { openLauncher } from '../../src/video/launcher.ts'
import { type Program, startProgram } from '../../src/video/program.ts'

const open: { close(): void }[] = []
const opened = () => {
  const launcher = openLauncher()
  open.push(launcher)
  return launcher
}
afterEach(() => {
  for (const launcher of open.splice(0)) launcher.close()
})

/** A program that runs this script. */
const script = (source: string): Promise<Program> => startProgram(process.execPath, ['-e', source], process.env)

const result = async ({ stdout, stderr, ended }: Program) => {
  const [out, err, end] = await Promise.all([text(stdout), text(stderr), ended])
  return { out, err, ...end }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const gone = async (pid: number): Promise<boolean> => {
  for (let tries = 0; tries < 100 && isAlive(pid); tries++) await setTimeout(50)
  return !isAlive(pid)
}

describe.each([
  ['directly', () => {}],
  ['by a process of its own', () => void opened()],
])('a program that is started %s', (_, prepare) => {
  test('gives all that it writes, and how it ended', async () => {
    prepare()
    const program = await script('console.log("out"); console.error("err"); process.exitCode = 3')
    expect(await result(program)).toEqual({ out: 'out\n', err: 'err\n', code: 3, signalName: null })
  })

  test('loses no byte, however slowly it is read, beside others', async () => {
    prepare()
    const many = (byte: number) => script(`process.stdout.write(Buffer.alloc(5_000_000, ${byte}))`)
    const programs = await Promise.all([1, 2, 3, 4, 5, 6].map(many))
    await setTimeout(300)
    const outputs = await Promise.all(programs.map(({ stdout }) => buffer(stdout)))
    for (const [i, output] of outputs.entries()) {
      expect(output.length).toBe(5_000_000)
      expect(output.every((byte) => byte === i + 1)).toBe(true)
    }
    for (const { stderr } of programs) stderr.destroy()
    expect(await Promise.all(programs.map(({ ended }) => ended))).toEqual(
      programs.map(() => ({ code: 0, signalName: null })),
    )
  })

  test('is ended at once, and tells so', async () => {
    prepare()
    const program = await script('console.log(process.pid); setInterval(() => {}, 1000)')
    const [line] = (await once(program.stdout, 'data')) as [Buffer]
    program.kill()
    expect(await result(program)).toMatchObject({ code: null, signalName: 'SIGKILL' })
    expect(isAlive(Number(line))).toBe(false)
  })

  test('is refused where there is none', async () => {
    prepare()
    await expect(startProgram('/no/such/program', [], process.env)).rejects.toThrow('ENOENT')
    expect((await result(await script('console.log(1)'))).out).toBe('1\n')
  })

  test('has the environment and the arguments that it was given, whatever is in them', async () => {
    prepare()
    const source = 'process.stdout.write(JSON.stringify([process.env.WORD, ...process.argv.slice(1)]))'
    const words = ['-x', 'a b', '"', "'", '$HOME', '*', '\n', 'ü', '']
    const env = { ...process.env, WORD: 'a "word"\n' }
    const program = await startProgram(process.execPath, ['-e', source, '--', ...words], env)
    expect(JSON.parse((await result(program)).out)).toEqual(['a "word"\n', ...words])
  })
})

describe.runIf(process.platform === 'linux')('the process that starts programs', () => {
  test('is one, however many use it, and ends with the last of them', async () => {
    const [first, second] = [openLauncher(), openLauncher()]
    const { out } = await result(await script('console.log(process.ppid)'))
    first.close()
    expect((await result(await script('console.log(process.ppid)'))).out).toBe(out)
    second.close()
    expect(await gone(Number(out))).toBe(true)
    expect(Number(out)).not.toBe(process.pid)
    expect((await result(await script('console.log(process.ppid)'))).out).toBe(`${process.pid}\n`)
  })

  test('takes what it has started with it when it is ended, and says so; later programs start without it', async () => {
    opened()
    const program = await script(
      'console.log(process.ppid, process.pid); setInterval(() => process.stdout.write("."), 50)',
    )
    const [line] = (await once(program.stdout, 'data')) as [Buffer]
    const [helper, pid] = line.toString().trim().split(' ').map(Number)
    process.kill(helper!, 'SIGKILL')
    const meanwhile = script('console.log("all the same")')
    await expect(program.ended).rejects.toThrow('SIGKILL')
    expect((await result(await meanwhile)).out).toBe('all the same\n')
    expect(await gone(pid!)).toBe(true)
    expect((await result(await script('console.log(process.ppid)'))).out).toBe(`${process.pid}\n`)
  })

  test('ends what runs when the process that it works for is killed, at whatever moment', async () => {
    const source = (path: string) => JSON.stringify(new URL(`../../src/video/${path}`, import.meta.url).pathname)
    const marker = `marker-${randomUUID()}`
    const body = `
      import { openLauncher } from ${source('launcher.ts')}
      import { startProgram } from ${source('program.ts')}
      openLauncher()
      process.stdout.write('.')
      for (;;) {
        const { stdout, stderr, kill } = await startProgram('tail', ['-f', '/dev/null', '${marker}'], process.env)
        setTimeout(() => (kill(), stdout.resume(), stderr.resume()), 5)
      }`
    for (const ms of [0, 40, 80, 120, 160]) {
      const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', body], {
        cwd: new URL('../..', import.meta.url).pathname,
      })
      await once(parent.stdout, 'data')
      await setTimeout(ms)
      parent.kill('SIGKILL')
    }
    const left = async () => (await running()).filter((line) => line.includes(marker))
    for (let tries = 0; tries < 100 && (await left()).length > 0; tries++) await setTimeout(50)
    expect(await left()).toEqual([])
  })
})

/** Command lines of all processes. */
const running = async (): Promise<readonly string[]> => {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
}
