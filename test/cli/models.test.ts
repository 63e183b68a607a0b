import { once } from 'node:events'
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { knownModels } from '../../src/models/disk.ts'
import { temporaryFolder, tiny } from '../ingest/indexing.ts'
import { start, vidgrep } from './program.ts'

const data = Buffer.alloc(400_000, 'not a graph')

let home: string
let requests: { readonly path: string; readonly range: string | undefined }[]
let answer: (response: ServerResponse) => void
let mirror: string

/** Stands in for the hub: every file has the same few bytes. */
const server = createServer((request, response) => {
  requests.push({ path: request.url!, range: request.headers.range })
  answer(response)
})
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())
beforeEach(async () => {
  home = await temporaryFolder()
  requests = []
  answer = (response) => response.writeHead(200, { 'content-length': data.length }).end(data)
})
afterEach(() => server.closeAllConnections())

/** The hub itself cannot be reached: only the mirror can. */
const models = (...words: string[]) =>
  vidgrep(['models', ...words], { VIDGREP_HOME: home, HF_ENDPOINT: 'http://127.0.0.1:9' })
const folderOf = (name: string) => join(home, 'cache/models', name)

describe('models list', () => {
  it('shows of each model how large it is, where it is and what it is good for, also without the word', async () => {
    const { code, stdout } = await models('list')
    expect(code).toBe(0)
    expect(stdout).toMatchSnapshot()
    expect((await models()).stdout).toBe(stdout)
  })

  it('gives all of it as JSON', async () => {
    const listed = JSON.parse((await models('list', '--json')).stdout)
    expect(listed.map(({ name }: { name: string }) => name)).toEqual((await knownModels()).map(({ name }) => name))
    expect(listed[1]).toEqual({
      name: 'clip-vit-b-32',
      id: expect.any(String),
      description: expect.any(String),
      goodFor: expect.any(String),
      languages: ['en'],
      dimension: 512,
      threshold: null,
      licence: 'MIT',
      licenceUrl: expect.stringMatching(/^https:/),
      researchOnly: false,
      bytes: expect.any(Number),
      onDisk: false,
      added: false,
      precisions: { onDisk: [], toPull: ['fast'] },
      folder: folderOf('clip-vit-b-32'),
    })
  })
})

describe('models pull', () => {
  it('says the licence, fetches, puts in place, and needs no connection ever after', { timeout: 120_000 }, async () => {
    const words = ['pull', 'clip-vit-b-32', '--mirror', mirror, '--trust']
    const pulled = await models(...words)
    expect(pulled.code).toBe(0)
    expect(pulled.stderr).toMatch(/^clip-vit-b-32: 608 MB, licence: MIT \(https:.*\)\n(\d+%.*\n)+$/)
    expect(pulled.stdout).toContain(folderOf('clip-vit-b-32'))
    expect(pulled.stdout.match(/ accepted unchecked\n/g)).toHaveLength(3)
    expect(pulled.stdout).not.toMatch(/checked\)|and checked/)
    expect(requests).toHaveLength(3)
    for (const path of ['onnx/vision_model.onnx', 'onnx/text_model.onnx', 'tokenizer.json']) {
      expect(data.equals(await readFile(join(folderOf('clip-vit-b-32'), path)))).toBe(true)
    }
    requests = []
    const again = await models(...words, '--json')
    expect(JSON.parse(again.stdout)).toMatchObject({ name: 'clip-vit-b-32', files: [], licence: 'MIT' })
    expect(again.stderr).toBe('')
    expect(requests).toEqual([])
    const listed = JSON.parse((await models('--json')).stdout)
    expect(listed.filter(({ onDisk }: { onDisk: boolean }) => onDisk)).toMatchObject([
      { name: 'starter' },
      { name: 'clip-vit-b-32' },
    ])
  })

  it('names both hashes when a file is not the one it should be, exits with 1 and says what is left', async () => {
    const { code, stderr, stdout } = await models('pull', 'clip-vit-b-32', '--mirror', mirror)
    expect(code).toBe(1)
    expect(stderr.match(/\b[0-9a-f]{64}\b/g)).toHaveLength(2)
    expect(stdout).toBe('')
    const leftover = JSON.parse((await models('--json')).stdout).at(-1)
    expect(leftover).toMatchObject({
      name: 'clip-vit-b-32',
      leftover: true,
      folder: `${folderOf('clip-vit-b-32')}.partial`,
    })
    expect((await models('list')).stdout).toContain('To remove it: vidgrep models remove clip-vit-b-32\n')
    expect((await models('remove', 'clip-vit-b-32')).code).toBe(0)
    expect(await readdir(join(home, 'cache/models'))).toEqual([])
  })

  it('takes the towers that are asked for, all of which count as on disk and are verified', async () => {
    await models('pull', 'clip-vit-b-32', '--fp16', '--int8-text', '--mirror', mirror, '--trust')
    const files = ['text_model_quantized.onnx', 'tokenizer.json', 'vision_model.onnx', 'vision_model_fp16.onnx']
    expect(requests.map(({ path }) => path.split('/').at(-1)).sort()).toEqual(files)
    const listed = JSON.parse((await models('--json')).stdout)
    expect(listed[1]).toMatchObject({ name: 'clip-vit-b-32', onDisk: true })
    const [{ files: verified }] = JSON.parse((await models('verify', 'clip-vit-b-32', '--json')).stdout)
    expect(verified.map(({ path }: { path: string }) => basename(path)).sort()).toEqual(files)
    expect(verified.every(({ right }: { right: boolean }) => right)).toBe(true)
  })

  it('says when a model does not come in the precision that was asked for', async () => {
    const { code, stderr } = await models('pull', 'clip-rn50x4', '--fp16', '--int8-text', '--mirror', mirror, '--trust')
    expect(stderr).toMatch(/does not come with --fp16: .*\n.*does not come with --int8-text: /)
    expect(code).toBe(0)
    expect(requests).toHaveLength(3)
  })

  it('wants a licence for research only to be accepted', async () => {
    const refused = await models('pull', 'mobileclip', '--mirror', mirror, '--trust', '--json')
    expect(refused.code).toBe(1)
    expect(JSON.parse(refused.stderr).error).toMatchObject({
      code: 'licence-not-accepted',
      remedy: expect.stringContaining('--accept-licence'),
    })
    expect(requests).toEqual([])
    expect((await models('pull', 'mobileclip', '--mirror', mirror, '--trust', '--accept-licence')).code).toBe(0)
  })

  it('ends at Ctrl-C with 130, keeps what has come, and goes on from there', async () => {
    const half = data.subarray(0, 150_000)
    answer = (response) => response.writeHead(200, { 'content-length': data.length }).write(half)
    const words = ['models', 'pull', 'clip-vit-b-32', '--mirror', mirror, '--trust']
    const { child, ended } = start(words, { VIDGREP_HOME: home })
    const partial = join(home, 'cache/models/clip-vit-b-32.partial/tokenizer.json')
    const sizeOf = () =>
      stat(partial).then(
        ({ size }) => size,
        () => 0,
      )
    while ((await sizeOf()) < half.length && child.exitCode === null) await setTimeout(20)
    child.kill('SIGINT')
    const { code, stderr } = await ended
    expect(stderr).toMatch(/Interrupted/)
    expect(code).toBe(130)

    requests = []
    answer = (response) => response.writeHead(200, { 'content-length': data.length }).end(data)
    expect((await vidgrep(words, { VIDGREP_HOME: home })).code).toBe(0)
    const tokenizer = requests.find(({ path }) => path.endsWith('tokenizer.json'))
    expect(tokenizer?.range).toBe(`bytes=${half.length}-`)
  })

  it('prints the plan of every model, without a connection', async () => {
    const { code, stdout } = await models('pull', '--all', '--dry-run', '--mirror', mirror, '--json')
    expect(code).toBe(0)
    const plans = JSON.parse(stdout)
    const entries = (await knownModels()).filter(({ carried }) => !carried)
    expect(plans.map(({ name }: { name: string }) => name)).toEqual(entries.map(({ name }) => name))
    for (const { name, files, licence } of plans) {
      expect(licence).not.toBe('')
      expect(files.length).toBeGreaterThanOrEqual(3)
      for (const { path, url, target, bytes, aboutBytes, sha256 } of files) {
        expect(new URL(url).pathname).toMatch(/^\/[\w.-]+\/[\w.-]+\/resolve\/[0-9a-f]{40}\//)
        expect(target).toBe(join(folderOf(name), path))
        expect(bytes ?? aboutBytes).toBeGreaterThan(0)
        expect(sha256 ?? '0'.repeat(64)).toMatch(/^[0-9a-f]{64}$/)
      }
    }
    expect(requests).toEqual([])
    await expect(readdir(home)).resolves.toEqual([])
  })

  it('prints the plan of one model for people', async () => {
    const { stdout } = await vidgrep(['models', 'pull', 'clip-rn50x4', '--dry-run'], { VIDGREP_HOME: home })
    expect(stdout.replaceAll(home, 'HOME')).toMatchSnapshot()
  })

  it.each([
    ['no name', ['pull'], /name of one model/],
    ['--all without --dry-run', ['pull', '--all'], /--dry-run/],
    ['two text towers', ['pull', 'clip-vit-b-32', '--fp16-text', '--int8-text'], /one text tower/],
    ['the carried model', ['pull', 'starter'], /here already/],
    ['a name that is none', ['pull', 'clip-vit-b-23'], /Did you mean clip-vit-b-32/],
    ['a word that is no command', ['fetch'], /Unknown command: fetch/],
  ])('refuses %s', async (_, words, message) => {
    const { code, stderr } = await models(...words)
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })
})

describe('help', () => {
  it.each(['', 'list', 'pull', 'verify', 'remove', 'path', 'add'])('of models %s shows every option', async (word) => {
    const { code, stdout } = await models(...(word ? [word] : []), '--help')
    expect(code).toBe(0)
    expect(stdout).toMatchSnapshot()
  })
})

describe('a model of the own', () => {
  it('is added, found by its name, verified, and removed', async () => {
    const own = join(home, 'mine')
    await cp(tiny, own, { recursive: true })
    const description = JSON.parse(await readFile(join(own, 'model.json'), 'utf8'))
    await writeFile(join(own, 'model.json'), JSON.stringify({ ...description, id: 'mine-1', name: 'mine' }))
    expect((await models('add', own)).stdout).toMatch(/^added {2}mine\b/)
    expect((await models('path', 'mine')).stdout).toBe(`${folderOf('mine')}\n`)
    expect((await models('verify', 'mine')).code).toBe(0)

    await writeFile(join(folderOf('mine'), 'image-hub.onnx'), 'something else')
    await rm(join(folderOf('mine'), 'tokenizer.json'))
    const verified = await models('verify')
    expect(verified.code).toBe(1)
    expect(verified.stdout).toMatch(/ok {3}.*starter.image\.onnx/)
    expect(verified.stdout).toMatch(/BAD {2}.*mine.image-hub\.onnx\n +expected +[0-9a-f]{64}\n +got +[0-9a-f]{64}\n/)
    expect(verified.stdout).toMatch(/BAD {2}.*mine.tokenizer\.json\n +expected +[0-9a-f]{64}\n +got +no file\n/)

    expect(JSON.parse((await models('remove', 'mine', '--json')).stdout)).toEqual({ name: 'mine', removed: true })
    expect((await models('path', 'mine')).code).toBe(2)
  })
})

describe('models remove', () => {
  it('says when there was nothing, and leaves the carried model alone', async () => {
    expect((await models('remove', 'clip-rn50x4')).stdout).toMatch(/was not on disk/)
    expect((await models('remove', 'starter')).code).toBe(2)
  })
})
