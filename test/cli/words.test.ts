import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { visible } from '../../src/cli/run.ts'
import { clip, makeClip, temporaryFolder } from '../ingest/indexing.ts'
import { start, vidgrep } from './program.ts'

let home: string
beforeEach(async () => {
  home = await temporaryFolder()
})

const call = (...words: string[]) => vidgrep(words, { VIDGREP_HOME: home })

describe('names for people', () => {
  it.each([
    ['\x1b[31m', '\\x1b[31m'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\u202egpj.exe', '\\u202egpj.exe'],
    ['\u2028', '\\u2028'],
    ['\x9b', '\\x9b'],
    ['\ud800', '\\ud800'],
    ['été 猫 👩‍🚀 C:\\videos', 'été 猫 👩‍🚀 C:\\videos'],
  ])('%j is shown as %j', (text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  it.skipIf(process.platform === 'win32')('drive no terminal and take one line; in JSON they are exact', async () => {
    const path = join(home, 'red\x1b[31m\n\u202eend.mp4')
    await rename(await makeClip(join(home, 'a.mp4'), 'testsrc', 1), path)
    const indexed = await call('index', path, '--detail', 'whole')
    const plain = await call('videos')
    const found = await call('search', 'x', '--threshold', '-100', '-n', '1')
    for (const { stdout, stderr } of [indexed, plain, found]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come
      expect(stdout + stderr).not.toMatch(/[\x1b\u202e]/)
    }
    expect(plain.stdout).toMatch(/^complete .*red\\x1b\[31m\\n\\u202eend\.mp4\n$/)
    expect(JSON.parse((await call('videos', '--json')).stdout)).toMatchObject([{ path }])
    expect((await call('remove', '\x1b')).stderr).toMatch(/^No video of the collection lies at \\x1b\n/)
  })
})

describe('words after --', () => {
  it('are files and queries, also where they begin with a dash', async () => {
    const file = await makeClip(join(home, '-a.mp4'), 'testsrc', 1)
    const inFolder = (...words: string[]) => start(words, { VIDGREP_HOME: home }, undefined, home).ended
    expect((await inFolder('index', '--detail', 'whole', '--', '-a.mp4')).code).toBe(0)
    const found = await inFolder('search', '--threshold', '-100', '--json', '--', '-5 degrees', '--help', 'x')
    expect(JSON.parse(found.stdout)).toMatchObject({ query: '-5 degrees --help x', moments: [{ path: file }] })
    expect((await inFolder('frame', '-o', 'a.png', '--', '-a.mp4', '0')).code).toBe(0)
    expect((await inFolder('remove', '--', '-a.mp4')).stdout).toBe(`removed  ${file}\n`)
  })
})

describe('an error in JSON', () => {
  it.each([
    ['--json=true', ['videos', '--json=true', '--bogus'], 'usage'],
    ['a word too many', ['videos', 'bogus', '--json'], 'usage'],
    ['an unknown command', ['serch', '--json'], 'usage'],
    ['a missing collection', ['videos', '--json'], 'collection-missing'],
  ])('is an object: %s', async (_, words, code) => {
    const { stderr } = await call(...words)
    expect(JSON.parse(stderr)).toEqual({
      error: { code, message: expect.any(String), remedy: expect.any(String) },
    })
  })

  it('is an object after Ctrl-C too', async () => {
    const words = ['index', clip(''), '--no-reuse', '--json', '--store', join(home, 'store')]
    const { child, ended } = start(words, { VIDGREP_HOME: home })
    while (!existsSync(join(home, 'store')) && child.exitCode === null) await setTimeout(50)
    child.kill('SIGINT')
    const { code, stdout, stderr } = await ended
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(JSON.parse(stderr).error.code).toBe('interrupted')
  })
})
