import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ManifestEntry } from '../../src/models/manifest.ts'
import type { PullProgress } from '../../src/models/pull/plan.ts'
import { pullModel } from '../../src/models/pull/pull.ts'

const revision = '0123456789abcdef0123456789abcdef01234567'
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')
const content = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * seed + (i >> 8)) % 256)

const contents: Record<string, Uint8Array> = {
  'onnx/image.onnx': content(300_000, 7),
  'onnx/text.onnx': content(200_000, 11),
  'tokenizer.json': content(1_000, 13),
}

const entryOf = (change: (path: string) => object = () => ({})): ManifestEntry =>
  ({
    id: 'small-1',
    name: 'small',
    image: { file: 'onnx/image.onnx' },
    text: { file: 'onnx/text.onnx', tokenizer: 'tokenizer.json' },
    source: { repo: 'someone/small', revision },
    licence: 'MIT',
    files: Object.entries(contents).map(([path, data]) => ({
      path,
      bytes: data.length,
      sha256: sha256(data),
      ...change(path),
    })),
  }) as unknown as ManifestEntry

type Request = {
  readonly method: string | undefined
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

let home: string
let requests: Request[]
/** Handles a request in a way of its own by returning true. */
let misbehave: (path: string, response: ServerResponse, nth: number) => boolean
let mirror: string
/** The hub's own SHA-256 of files, as it states it of those in large-file storage. */
let hubStates: Record<string, string>

const serve = (request: IncomingMessage, response: ServerResponse): void => {
  const path = request.url!.replace(`/someone/small/resolve/${revision}/`, '')
  const { range, authorization } = request.headers
  requests.push({ method: request.method, path, range, authorization })
  if (request.method === 'HEAD') {
    const stated = hubStates[path]
    const headers = stated === undefined ? {} : { 'x-linked-etag': `"${stated}"`, location: '/cdn' }
    return void response.writeHead(stated === undefined ? 200 : 302, headers).end()
  }
  const nth = requests.filter((before) => before.path === path && before.method === 'GET').length
  if (misbehave(path, response, nth)) return
  const data = contents[path]
  if (!data) return void response.writeHead(404).end()
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
  if (start >= data.length) return void response.writeHead(416).end()
  response.writeHead(range ? 206 : 200, { 'content-length': data.length - start }).end(data.subarray(start))
}

let server: ReturnType<typeof createServer>

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'vidgrep-pull-'))
  process.env.VIDGREP_HOME = home
  requests = []
  misbehave = () => false
  hubStates = {}
  // The hub itself cannot be reached.
  process.env.HF_ENDPOINT = 'http://127.0.0.1:9'
  server = createServer(serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  delete process.env.VIDGREP_HOME
  delete process.env.HF_TOKEN
  delete process.env.HF_ENDPOINT
  server.closeAllConnections()
  server.close()
  await rm(home, { recursive: true })
})

const recorded = (checkedBy: string) =>
  Object.entries(contents).map(([path, data]) => ({ path, bytes: data.length, sha256: sha256(data), checkedBy }))

const models = () => join(home, 'cache/models')
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: { code: string }) => error.code,
  )

const expectWhole = async () => {
  for (const [path, data] of Object.entries(contents)) {
    expect(sha256(await readFile(join(models(), 'small', path)))).toBe(sha256(data))
  }
  expect((await readdir(models())).sort()).toEqual(['small'])
}

/** As an earlier run left it that was broken off after `bytes` bytes. */
const leavePartial = async (path: string, data: Uint8Array) => {
  const file = join(models(), 'small.partial', path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, data)
}

describe('pullModel', () => {
  test('fetches each file once, verified and in place, and tells how far it is', async () => {
    const progress: PullProgress[] = []
    const pulled = await pullModel(entryOf(), { mirror, onProgress: (state) => progress.push(state) })
    expect(pulled).toEqual({ name: 'small', folder: join(models(), 'small'), files: recorded('manifest') })
    await expectWhole()
    expect(requests.map(({ path }) => path).sort()).toEqual(Object.keys(contents).sort())
    expect(progress.at(-1)).toEqual({ receivedBytes: 501_000, totalBytes: 501_000 })
  })

  test('makes no connection when all files are there', async () => {
    await pullModel(entryOf(), { mirror })
    requests = []
    expect((await pullModel(entryOf(), { mirror })).files).toEqual([])
    expect(requests).toEqual([])
  })

  test('fetches only the file that is missing', async () => {
    await pullModel(entryOf(), { mirror })
    await rm(join(models(), 'small/tokenizer.json'))
    requests = []
    await pullModel(entryOf(), { mirror })
    expect(requests.map(({ path }) => path)).toEqual(['tokenizer.json'])
    await expectWhole()
  })

  test('goes on where an earlier run was broken off', async () => {
    const data = contents['onnx/image.onnx']!
    await leavePartial('onnx/image.onnx', data.subarray(0, 120_000))
    await leavePartial('onnx/text.onnx', contents['onnx/text.onnx']!)
    await pullModel(entryOf(), { mirror })
    await expectWhole()
    expect(requests.find(({ path }) => path === 'onnx/image.onnx')?.range).toBe('bytes=120000-')
    expect(requests.find(({ path }) => path === 'onnx/text.onnx')?.range).toBe('bytes=200000-')
  })

  test('starts anew when what an earlier run left does not fit', async () => {
    await leavePartial('onnx/image.onnx', Buffer.alloc(120_000, 1))
    await leavePartial('tokenizer.json', Buffer.alloc(5_000, 1))
    await pullModel(entryOf(), { mirror })
    await expectWhole()
  })

  test('goes on when the connection breaks, and when the server is busy for a moment', async () => {
    misbehave = (path, response, nth) => {
      if (nth > 1) return false
      if (path === 'tokenizer.json') response.writeHead(503).end()
      if (path !== 'onnx/image.onnx') return path === 'tokenizer.json'
      response.writeHead(200, { 'content-length': 300_000 })
      response.write(contents[path]!.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50))
      return true
    }
    await pullModel(entryOf(), { mirror })
    await expectWhole()
    expect(requests.filter(({ path }) => path === 'onnx/image.onnx').map(({ range }) => range)).toEqual([
      undefined,
      'bytes=100000-',
    ])
  })

  test('takes a server that knows no ranges', async () => {
    await leavePartial('onnx/image.onnx', contents['onnx/image.onnx']!.subarray(0, 120_000))
    misbehave = (path, response) => {
      response.writeHead(200).end(contents[path])
      return true
    }
    await pullModel(entryOf(), { mirror })
    await expectWhole()
  })

  describe('when a file is another one than the manifest says', () => {
    const wrong = 'f'.repeat(64)
    const text = contents['onnx/text.onnx']!
    const entry = entryOf((path) => (path === 'onnx/text.onnx' ? { sha256: wrong } : {}))
    const fetches = () => requests.filter(({ method }) => method === 'GET').map(({ path, range }) => [path, range])
    beforeEach(() => {
      // The mirror is the hub here: its word counts.
      process.env.HF_ENDPOINT = mirror
    })

    test('believes the hub, and says so', async () => {
      hubStates = { 'onnx/text.onnx': sha256(text) }
      const { files } = await pullModel(entry)
      expect(files.map(({ path, checkedBy }) => [path, checkedBy])).toEqual([
        ['onnx/image.onnx', 'manifest'],
        ['onnx/text.onnx', 'hub'],
        ['tokenizer.json', 'manifest'],
      ])
      expect(fetches()).toHaveLength(3)
      await expectWhole()
    })

    test('names all hashes where the hub speaks against the file too, and keeps nothing of that one', async () => {
      hubStates = { 'onnx/text.onnx': 'e'.repeat(64) }
      const failure = (await pullModel(entry).catch((error: unknown) => error)) as Error & { code: string }
      expect(failure.code).toBe('hash-mismatch')
      for (const hash of [wrong, 'e'.repeat(64), sha256(text)]) expect(failure.message).toContain(hash)
      await expect(access(join(models(), 'small.partial/onnx/text.onnx'))).rejects.toThrow()
      await expect(access(join(models(), 'small'))).rejects.toThrow()
    })

    test('names both hashes where the hub says nothing, and takes it with trust without fetching anything again', async () => {
      const failure = (await pullModel(entry).catch((error: unknown) => error)) as Error & { code: string }
      expect(failure.code).toBe('hash-mismatch')
      for (const hash of [wrong, sha256(text)]) expect(failure.message).toContain(hash)
      await leavePartial('onnx/image.onnx', contents['onnx/image.onnx']!)
      requests = []
      const { files } = await pullModel(entry, { trust: true })
      expect(files[1]).toEqual({ path: 'onnx/text.onnx', bytes: text.length, sha256: sha256(text), checkedBy: 'none' })
      expect(fetches()).toContainEqual(['onnx/text.onnx', `bytes=${text.length}-`])
      expect(fetches()).toContainEqual(['onnx/image.onnx', 'bytes=300000-'])
      await expectWhole()
    })

    test('fetches it once more where it is pulled again without trust', async () => {
      await pullModel(entry).catch(() => {})
      requests = []
      expect(await codeOf(pullModel(entry))).toBe('hash-mismatch')
      expect(fetches()).toContainEqual(['onnx/text.onnx', undefined])
    })

    test('does not believe what a mirror says of itself', async () => {
      hubStates = { 'onnx/text.onnx': sha256(text) }
      process.env.HF_ENDPOINT = 'http://127.0.0.1:9'
      expect(await codeOf(pullModel(entry, { mirror }))).toBe('hash-mismatch')
    })
  })

  test('goes on with trust where a file of unknown hash was broken off', async () => {
    process.env.HF_ENDPOINT = mirror
    const entry = entryOf(() => ({ sha256: null }))
    await leavePartial('onnx/image.onnx', contents['onnx/image.onnx']!.subarray(0, 120_000))
    const { files } = await pullModel(entry, { trust: true })
    expect(files).toEqual(recorded('none'))
    const ranges = requests.filter(({ method, path }) => method === 'GET' && path === 'onnx/image.onnx')
    expect(ranges.map(({ range }) => range)).toEqual(['bytes=120000-'])
    await expectWhole()
  })

  test('takes another file when it is trusted, and knows it from then on', async () => {
    process.env.HF_ENDPOINT = mirror
    const entry = entryOf((path) => (path === 'onnx/text.onnx' ? { sha256: 'f'.repeat(64), bytes: 77 } : {}))
    await pullModel(entry, { mirror, trust: true })
    await expectWhole()
    requests = []
    expect((await pullModel(entry, { mirror })).files).toEqual([])
    expect(requests).toEqual([])
  })

  test('takes the hub at its word for a file whose hash is not in the manifest, else wants trust', async () => {
    process.env.HF_ENDPOINT = mirror
    const entry = entryOf((path) => (path === 'tokenizer.json' ? { sha256: null, bytes: null } : {}))
    expect(await codeOf(pullModel(entry))).toBe('hash-unknown')
    expect(requests.map(({ method, path }) => [method, path])).toEqual([['HEAD', 'tokenizer.json']])
    hubStates = { 'tokenizer.json': sha256(contents['tokenizer.json']!) }
    await pullModel(entry)
    const record = JSON.parse(await readFile(join(models(), 'small/pulled.json'), 'utf8'))
    const files = Object.fromEntries(recorded('manifest').map(({ path, ...file }) => [path, file]))
    expect(record).toEqual({
      source: `someone/small@${revision}`,
      files: { ...files, 'tokenizer.json': { ...files['tokenizer.json'], checkedBy: 'hub' } },
    })
  })

  test('lets only one of two pulls that meet do the work', async () => {
    const both = await Promise.all([pullModel(entryOf(), { mirror }), pullModel(entryOf(), { mirror })])
    expect(both.map(({ files }) => files.length).sort()).toEqual([0, 3])
    expect(requests).toHaveLength(3)
    await expectWhole()
  })

  test('lets only one of two processes do the work', async () => {
    const source = JSON.stringify(join(import.meta.dirname, '../../src/models/pull/pull.ts'))
    const script = `
      import { pullModel } from ${source}
      const { files } = await pullModel(${JSON.stringify(entryOf())}, { mirror: '${mirror}' })
      console.log(files.length)`
    const pullThere = () =>
      promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
    const both = await Promise.all([pullThere(), pullThere()])
    expect(both.map(({ stdout }) => stdout.trim()).sort()).toEqual(['0', '3'])
    await expectWhole()
  })

  test('stops at once by its signal, keeps what has come, and lets the next run go on', async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    misbehave = (path, response, nth) => {
      if (path !== 'onnx/image.onnx' || nth > 1) return false
      response.writeHead(200, { 'content-length': 300_000 }).write(contents[path]!.subarray(0, 100_000))
      return true
    }
    const onProgress = ({ receivedBytes }: PullProgress) => {
      if (receivedBytes === 301_000) abort.abort(reason)
    }
    await expect(pullModel(entryOf(), { mirror, signal: abort.signal, onProgress })).rejects.toBe(reason)
    await pullModel(entryOf(), { mirror })
    await expectWhole()
    expect(requests.filter(({ path }) => path === 'onnx/image.onnx').at(-1)?.range).toBe('bytes=100000-')
  })

  test('says what a refusal is, and does not try again', async () => {
    misbehave = (_, response) => !!response.writeHead(401).end()
    const failure = await pullModel(entryOf(), { mirror }).catch((error: Error) => error)
    expect(failure).toMatchObject({ code: 'pull-refused', remedy: expect.stringContaining('HF_TOKEN') })
  })

  test('wants the room before it begins', async () => {
    expect(await codeOf(pullModel(entryOf(), { mirror, freeBytes: async () => 500_999 }))).toBe('disk-full')
    expect(requests).toEqual([])
    await leavePartial('tokenizer.json', contents['tokenizer.json']!)
    expect(await codeOf(pullModel(entryOf(), { mirror, freeBytes: async () => 500_999 }))).toBe('no error')
  })

  test('wants a licence for research only to be accepted', async () => {
    const entry = { ...entryOf(), researchOnly: true, licenceUrl: 'https://example.org/licence' }
    const failure = await pullModel(entry, { mirror }).catch((error: Error) => error)
    expect(failure).toMatchObject({
      code: 'licence-not-accepted',
      message: expect.stringContaining('example.org/licence'),
    })
    expect(requests).toEqual([])
    await pullModel(entry, { mirror, acceptLicence: true })
    await expectWhole()
  })

  test('takes HF_ENDPOINT for the hub and shows it the token; a mirror never sees it', async () => {
    process.env.HF_TOKEN = 'secret'
    process.env.HF_ENDPOINT = mirror
    await pullModel(entryOf())
    expect(requests.every(({ authorization }) => authorization === 'Bearer secret')).toBe(true)
    await rm(models(), { recursive: true })
    requests = []
    await pullModel(entryOf(), { mirror })
    expect(requests).toHaveLength(3)
    expect(requests.every(({ authorization }) => authorization === undefined)).toBe(true)
  })

  test('goes through the proxy that the environment names', async () => {
    process.env.HTTP_PROXY = mirror
    const connects: string[] = []
    server.on('connect', (request, socket) => {
      connects.push(request.url!)
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
    })
    misbehave = (path, response) => {
      connects.push(path)
      return !!response.writeHead(404).end()
    }
    try {
      expect(
        await codeOf(pullModel(entryOf(), { mirror: 'http://hub.invalid', signal: AbortSignal.timeout(1000) })),
      ).not.toBe('no error')
    } finally {
      delete process.env.HTTP_PROXY
    }
    expect(connects.some((target) => target.includes('hub.invalid'))).toBe(true)
  })

  test('leaves nothing locked', async () => {
    await pullModel(entryOf(), { mirror })
    await expect(access(join(models(), 'small.lock'))).rejects.toThrow()
  })
})
