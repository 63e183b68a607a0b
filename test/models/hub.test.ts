import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { AutoTokenizer } from '@huggingface/transformers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEncoder } from '../../src/encoder/encoder.ts'
import { openTokenizer } from '../../src/encoder/worker/tokenizer.ts'
import { UsageError } from '../../src/errors.ts'
import { openIndex } from '../../src/index.ts'
import { addModel } from '../../src/models/add.ts'
import { listLeftovers, listModels } from '../../src/models/list.ts'
import { loadModel } from '../../src/models/load.ts'
import { modelPath, removeModel, verifyModel } from '../../src/models/manage.ts'
import { unpackClipTokenizer } from '../clipTokenizer.ts'

const reference = join(import.meta.dirname, '../reference')
const expected = JSON.parse(await readFile(join(reference, 'graphs/expected.json'), 'utf8'))
const pictures = Uint8Array.from({ length: 3 * 48 }, (_, i) => Math.floor(i / 48) * 37 + (i % 48) * 11)

const [first, second] = ['1'.repeat(40), '2'.repeat(40)]

const clipConfig = {
  'config.json': {
    model_type: 'clip',
    projection_dim: 5,
    text_config: { model_type: 'clip_text_model', max_position_embeddings: 77 },
    vision_config: { model_type: 'clip_vision_model', image_size: 4, hidden_size: 48 },
  },
  'preprocessor_config.json': {
    image_processor_type: 'CLIPImageProcessor',
    do_resize: true,
    size: { shortest_edge: 4 },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: 4, width: 4 },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.48145466, 0.4578275, 0.40821073],
    image_std: [0.26862954, 0.26130258, 0.27577711],
  },
}

const siglipConfig = {
  'config.json': {
    model_type: 'siglip',
    text_config: { model_type: 'siglip_text_model', max_position_embeddings: 64 },
    vision_config: { model_type: 'siglip_vision_model', image_size: 4, hidden_size: 5 },
  },
  'preprocessor_config.json': {
    image_processor_type: 'SiglipImageProcessor',
    do_resize: true,
    size: { height: 4, width: 4 },
    resample: 3,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  },
}

let home: string
let hub: string
let server: Server
let requests: string[]
let commit: string

/** A repository as it lies on the hub: tiny towers, CLIP's tokenizer, and the configuration given. */
const publish = async (config: Readonly<Record<string, object>>): Promise<void> => {
  await mkdir(join(hub, 'onnx'), { recursive: true })
  await cp(join(reference, 'graphs/image-hub.onnx'), join(hub, 'onnx/vision_model.onnx'))
  await cp(join(reference, 'graphs/text-hub.onnx'), join(hub, 'onnx/text_model.onnx'))
  await cp(join(reference, 'clip-tokenizer/tokenizer_config.json'), join(hub, 'tokenizer_config.json'))
  await unpackClipTokenizer(hub)
  for (const [name, content] of Object.entries(config)) await writeFile(join(hub, name), JSON.stringify(content))
}

const describeRepository = async () => {
  const names = (await readdir(hub, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const siblings = names.map(async ({ parentPath, name }) => {
    const data = await readFile(join(parentPath, name))
    const lfs = name.endsWith('.onnx') && { lfs: { sha256: createHash('sha256').update(data).digest('hex') } }
    return { rfilename: join(parentPath, name).slice(hub.length + 1), size: data.length, ...lfs }
  })
  return { sha: commit, siblings: await Promise.all(siblings), cardData: { license: 'mit' } }
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'vidgrep-hub-'))
  hub = join(home, 'someone/tiny-clip')
  requests = []
  commit = first
  server = createServer(async ({ url = '' }, response) => {
    requests.push(url)
    const asked = /^\/api\/models\/someone\/tiny-clip\/revision\/(\w+)\?blobs=true$/.exec(url)?.[1]
    if (asked) {
      if (!['main', 'v2', first, second].includes(asked)) return void response.writeHead(404).end()
      return void response.end(JSON.stringify(await describeRepository()))
    }
    const path = url.split(`/someone/tiny-clip/resolve/${commit}/`)[1]
    const data = path === undefined ? undefined : await readFile(join(hub, path)).catch(() => undefined)
    if (data) response.writeHead(200, { 'content-length': data.length }).end(data)
    else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.env.HF_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.env.VIDGREP_HOME = home
})

afterEach(async () => {
  delete process.env.HF_ENDPOINT
  delete process.env.VIDGREP_HOME
  server.closeAllConnections()
  server.close()
  await rm(home, { recursive: true })
})

describe('a repository of the hub', () => {
  test('is fetched, described and runs like any other model', async () => {
    await publish(clipConfig)
    const fetched: string[] = []
    const onFetch = (name: string) => void fetched.push(name)
    const model = await loadModel('hf:someone/tiny-clip', { onFetch })
    await loadModel('hf:someone/tiny-clip', { onFetch })
    expect(fetched).toEqual([`hf:someone/tiny-clip@${first}`])
    expect(model).toMatchObject({
      id: `hf:someone/tiny-clip@${first}`,
      name: `hf:someone/tiny-clip@${first}`,
      dimension: 5,
      licence: 'mit',
      threshold: undefined,
      image: { size: 4, resize: 'edge-crop', interpolation: 'bicubic', mean: [0.48145466, 0.4578275, 0.40821073] },
      text: { maxTokens: 77, lowercase: false, cleaning: 'clip' },
    })
    expect(model.text.padding).toBeUndefined()
    const encoder = await openEncoder(model)
    const near = (found: Float32Array, wanted: number[]) =>
      Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!)))
    const found = await encoder.encodePictures(pictures)
    for (const [i, embedding] of found.entries()) expect(near(embedding, expected.pictures[i])).toBeLessThan(1e-5)
    const [text] = await encoder.encodeTexts([expected.text])
    expect(near(text!, expected.unpadded)).toBeLessThan(1e-5)
    await encoder.close()
  })

  test('stays at the revision that was found, without the network, until another one is named', async () => {
    await publish(clipConfig)
    await loadModel('hf:someone/tiny-clip')
    commit = second
    requests = []
    expect((await loadModel('hf:someone/tiny-clip')).id).toBe(`hf:someone/tiny-clip@${first}`)
    expect((await loadModel(`hf:someone/tiny-clip@${first}`)).id).toBe(`hf:someone/tiny-clip@${first}`)
    expect(requests).toEqual([])
    expect((await loadModel('hf:someone/tiny-clip@v2')).id).toBe(`hf:someone/tiny-clip@${second}`)
    expect(requests).not.toEqual([])
    expect((await loadModel('hf:someone/tiny-clip')).id).toBe(`hf:someone/tiny-clip@${first}`)
  })

  test('is fetched in a lesser precision where it has one, and only when that is asked for', async () => {
    await publish(clipConfig)
    const quantised = join(hub, 'onnx/vision_model_quantized.onnx')
    await cp(join(hub, 'onnx/vision_model.onnx'), quantised)
    await loadModel('hf:someone/tiny-clip')
    expect(requests.filter((url) => url.includes('quantized'))).toEqual([])
    for (let i = 0; i < 2; i++) {
      const { id, image } = await loadModel('hf:someone/tiny-clip', { precision: 'fast' })
      expect(id).toBe(`hf:someone/tiny-clip@${first}+fast`)
      expect(image.file).toMatch(/vision_model_quantized\.onnx$/)
    }
    expect(requests.filter((url) => url.includes('quantized'))).toHaveLength(1)
    await expect(loadModel('hf:someone/tiny-clip', { precision: 'balanced' })).rejects.toMatchObject({
      message: expect.stringContaining('got only full, fast'),
    })
    expect((await verifyModel('hf:someone/tiny-clip')).some(({ path }) => path.endsWith('quantized.onnx'))).toBe(true)
    await cp(hub, join(home, 'folder'), { recursive: true })
    expect((await loadModel(join(home, 'folder'), { precision: 'fast' })).image.file).toMatch(/folder.*quantized/)
  })

  test('of the SigLIP kind is squashed, and its texts are filled up and lower-case', async () => {
    await publish(siglipConfig)
    const { dimension, image, text } = await loadModel('hf:someone/tiny-clip')
    expect(dimension).toBe(5)
    expect(image).toMatchObject({ size: 4, resize: 'squash', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] })
    expect(text).toMatchObject({ maxTokens: 64, lowercase: true, padding: 49407 })
  })

  test('whose configuration leaves out what is usual is described by its graph and its family', async () => {
    await publish({ ...siglipConfig, 'config.json': { model_type: 'siglip', text_config: {}, vision_config: {} } })
    const tokenizer = JSON.parse(await readFile(join(hub, 'tokenizer_config.json'), 'utf8'))
    await writeFile(join(hub, 'tokenizer_config.json'), JSON.stringify({ ...tokenizer, model_max_length: 1e30 }))
    expect(await loadModel('hf:someone/tiny-clip')).toMatchObject({ dimension: 5, text: { maxTokens: 64 } })
    await publish({ ...clipConfig, 'config.json': { model_type: 'clip' } })
    commit = second
    expect(await loadModel('hf:someone/tiny-clip@v2')).toMatchObject({ dimension: 5, text: { maxTokens: 77 } })
  })

  test('is listed, verified, found and removed like any other model', async () => {
    await publish(clipConfig)
    await loadModel('hf:someone/tiny-clip')
    const name = `hf:someone/tiny-clip@${first}`
    expect((await listModels()).at(-1)).toMatchObject({ name, dimension: 5, onDisk: true, added: false })
    const folder = await modelPath('hf:someone/tiny-clip')
    expect(await modelPath(name)).toBe(folder)
    const files = await verifyModel('hf:someone/tiny-clip')
    expect(files.map(({ path, right, source }) => [path.slice(folder.length + 1), right, source])).toEqual([
      ...[
        ['onnx/vision_model.onnx', true, 'hub'],
        ['onnx/text_model.onnx', true, 'hub'],
        ['tokenizer.json', true, 'none'],
      ],
      ...['config.json', 'preprocessor_config.json', 'tokenizer_config.json'].map((path) => [path, true, 'none']),
    ])
    await writeFile(join(folder, 'onnx/text_model.onnx'), 'something else')
    expect((await verifyModel(name)).filter(({ right }) => !right)).toHaveLength(1)
    expect(await removeModel('hf:someone/tiny-clip')).toBe(true)
    expect(await removeModel(name)).toBe(false)
    await expect(verifyModel(name)).rejects.toThrow(UsageError)
    expect(await listLeftovers()).toEqual([])
  })

  test('works as a folder of the own, without the network, and can be added', async () => {
    await publish(clipConfig)
    process.env.HF_ENDPOINT = 'http://127.0.0.1:9'
    const model = await loadModel(hub)
    expect(model).toMatchObject({
      name: 'tiny-clip',
      dimension: 5,
      image: { file: join(hub, 'onnx/vision_model.onnx') },
    })
    expect(await addModel(hub)).toBe('tiny-clip')
    await rename(hub, join(home, 'elsewhere'))
    // Wherever it lies, it is the same model.
    expect((await loadModel(join(home, 'elsewhere'))).id).toBe(model.id)
    expect(await loadModel('tiny-clip')).toMatchObject({ id: model.id, dimension: 5, text: { maxTokens: 77 } })
    await cp(join(reference, 'graphs/image-fixed.onnx'), join(home, 'elsewhere/onnx/vision_model.onnx'))
    expect((await loadModel(join(home, 'elsewhere'))).id).not.toBe(model.id)
    expect(requests).toEqual([])
  })

  test('splits texts as the library does', async () => {
    await publish(clipConfig)
    const { text } = await loadModel('hf:someone/tiny-clip')
    const tokenize = await openTokenizer(text)
    const theirs = await AutoTokenizer.from_pretrained(dirname(text.tokenizer), { local_files_only: true })
    for (const words of ['A Red car', "it's 25 °C, naïve café", 'x'.repeat(60)]) {
      expect(tokenize(words).ids).toEqual(Array.from(theirs(words).input_ids.data, Number))
    }
  })

  test('brings the weights along that lie beside a graph, and nothing else', async () => {
    await publish(clipConfig)
    await writeFile(join(hub, 'onnx/vision_model.onnx_data'), 'weights')
    await writeFile(join(hub, 'onnx/vision_model.onnx_data.txt'), 'notes')
    const { image } = await loadModel('hf:someone/tiny-clip')
    expect(await readFile(`${image.file}_data`, 'utf8')).toBe('weights')
    expect(await readdir(dirname(image.file))).not.toContain('vision_model.onnx_data.txt')
  })
})

test('a collection finds its model of the hub again by itself, without the network', async () => {
  await publish(clipConfig)
  const clips = join(import.meta.dirname, '../clips')
  const clip = join(clips, (await readdir(clips)).find((name) => name.endsWith('.mp4'))!)
  const store = join(home, 'store')
  const index = await openIndex({ store, model: 'hf:someone/tiny-clip', threads: 1, batchSize: 4 })
  for await (const _ of index.ingest([clip], { detail: 'whole', everySeconds: 2 }));
  await index.close()
  requests = []
  const again = await openIndex({ store })
  expect(again.model.id).toBe(`hf:someone/tiny-clip@${first}`)
  expect((await again.search('a dog', { threshold: -100 })).moments.length).toBeGreaterThan(0)
  await again.close()
  expect(requests).toEqual([])
})

describe('refused are', () => {
  const failure = (name: string) => loadModel(name).catch((error: unknown) => error)

  test.each(['hf:', 'hf:tiny', 'hf:a/b/c', 'hf:../..', 'hf:a/b@x y'])('the name %s', async (name) => {
    expect(await failure(name)).toBeInstanceOf(UsageError)
    expect(requests).toEqual([])
  })

  test('a repository or revision that is not there', async () => {
    await publish(clipConfig)
    expect(await failure('hf:someone/else')).toBeInstanceOf(UsageError)
    expect(await failure('hf:someone/tiny-clip@nowhere')).toBeInstanceOf(UsageError)
  })

  test('one without ONNX files, with what is missing', async () => {
    await publish(clipConfig)
    await rm(join(hub, 'onnx'), { recursive: true })
    expect(await failure('hf:someone/tiny-clip')).toMatchObject({
      code: 'hub-files-missing',
      message: expect.stringContaining('onnx/vision_model.onnx, onnx/text_model.onnx'),
    })
  })

  test('a file that is not what the hub says it is, with both hashes and nothing left', async () => {
    await publish(clipConfig)
    const described = JSON.stringify(await describeRepository()).replace(
      /"sha256":"[0-9a-f]{64}"/,
      `"sha256":"${'0'.repeat(64)}"`,
    )
    server.removeAllListeners('request')
    server.on('request', async ({ url = '' }, response) => {
      const path = url.split(`/resolve/${first}/`)[1]
      response.end(path ? await readFile(join(hub, path)) : described)
    })
    expect(await failure('hf:someone/tiny-clip')).toMatchObject({
      code: 'hash-mismatch',
      message: expect.stringContaining('0'.repeat(64)),
    })
    expect((await listLeftovers()).map(({ name }) => name)).toContain(`hf:someone/tiny-clip@${first}`)
  })

  test.each([
    ['resampling', { resample: 1 }, /resampling of kind 1/],
    ['colours in another order', { do_flip_channel_order: true }, /blue, green, red/],
    ['a crop of another size', { size: { shortest_edge: 6 } }, /crop/],
    ['one channel', { image_mean: [0.5] }, /image_mean/],
  ])('%s that cannot be done here', async (_, change, reason) => {
    const preprocessor = { ...clipConfig['preprocessor_config.json'], ...change }
    await publish({ ...clipConfig, 'preprocessor_config.json': preprocessor })
    expect(await failure('hf:someone/tiny-clip')).toMatchObject({
      code: 'hub-model-unknown',
      message: expect.stringMatching(reason),
      remedy: expect.stringContaining('model.json'),
    })
    // Before the weights are fetched, and nothing stays.
    expect(requests.filter((url) => url.includes('.onnx'))).toEqual([])
    expect(await readdir(join(home, 'cache/models'))).toEqual([])
  })

  test('all of them while the hub cannot be reached, but not what is there', async () => {
    await publish(clipConfig)
    await loadModel('hf:someone/tiny-clip')
    process.env.HF_ENDPOINT = 'http://127.0.0.1:9'
    expect((await loadModel('hf:someone/tiny-clip')).dimension).toBe(5)
    expect(await failure('hf:someone/other')).toMatchObject({ code: 'hub-unreachable' })
  })
})
