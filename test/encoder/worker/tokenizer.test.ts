import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { cleanForClip } from '../../../src/encoder/worker/clean.ts'
import { openTokenizer } from '../../../src/encoder/worker/tokenizer.ts'
import { loadModel } from '../../../src/models/load.ts'
import { unpackClipTokenizer } from '../../clipTokenizer.ts'

const folder = await mkdtemp(join(tmpdir(), 'vidgrep-tokenizer-'))
afterAll(() => rm(folder, { recursive: true }))

const reference = join(import.meta.dirname, '../../reference')
const clipIds: { text: string; ids: number[] }[] = JSON.parse(await readFile(join(reference, 'clip-ids.json'), 'utf8'))
const starter = (await loadModel('starter')).text
const clip = {
  file: '',
  tokenizer: await unpackClipTokenizer(folder),
  maxTokens: 77,
  lowercase: true,
  cleaning: 'clip',
} as const

describe("CLIP's tokenizer", async () => {
  const tokenize = await openTokenizer(clip)

  test('comes with 32 texts and their ids', () => expect(clipIds).toHaveLength(32))

  test.each(clipIds)('splits $text into the ids of the reference', ({ text, ids }) => {
    expect(tokenize(text).ids).toEqual(ids)
  })

  test('cuts a text to the context, keeps the closing token, and says so', () => {
    const words = (count: number) => 'word '.repeat(count)
    expect(tokenize(words(75))).toEqual({
      ids: [49406, ...Array(75).fill(2653), 49407],
      truncated: false,
      unknown: false,
    })
    expect(tokenize(words(76))).toEqual({
      ids: [49406, ...Array(75).fill(2653), 49407],
      truncated: true,
      unknown: false,
    })
  })
})

describe("the carried model's tokenizer", async () => {
  const tokenize = await openTokenizer(starter)

  test('takes the name of a special token as plain text', () => {
    const { ids } = tokenize('a dog [SEP] a cat [PAD]')
    expect([ids[0], ids.at(-1)]).toEqual([101, 102])
    expect(ids.slice(1, -1)).not.toEqual(expect.arrayContaining([102]))
    expect(ids).not.toContain(0)
  })
})

describe('a text that the vocabulary has nothing of', async () => {
  const starterTokens = await openTokenizer(starter)
  const clipTokens = await openTokenizer(clip)

  test.each(['🐈', '🚗 🐈', 'w'.repeat(300), '\u200b', ''])('is unknown to the carried model: %j', (text) => {
    expect(starterTokens(text).unknown).toBe(true)
  })

  test.each(['a cat', '🐈 cat', 'zxqv', '[UNK]', '!'])('is not %j', (text) => {
    expect(starterTokens(text).unknown).toBe(false)
  })

  test('is only the empty one where bytes are tokens', () => {
    expect(clipTokens('🐈').unknown).toBe(false)
    expect(clipTokens('w'.repeat(300)).unknown).toBe(false)
    expect(clipTokens('').unknown).toBe(true)
  })
})

describe('cleanForClip', () => {
  test.each([
    ['&amp;amp;lt;b&amp;gt; &eacute;', '<b> é'],
    ['  a \u00a0\u2003b\u0085c\r\nd  ', 'a b c d'],
    ['‘single’ “double”', `'single' "double"`],
    ['ﬃ ĳ ǆ ſt', 'ffi ij dž ſt'],
    ['Ａ１\u3000ｶﾞ', 'A1 ガ'],
    ['cafe\u0301', 'café'],
    ['\u001b[31mred\u001b[0m\u0007\ufeff', 'red'],
    ['\ud800x', '\ufffdx'],
    ['½ ① — …', '½ ① — …'],
  ])('turns %j into %j', (text, cleaned) => expect(cleanForClip(text)).toBe(cleaned))
})

describe('the quick form of a tokenizer', async () => {
  const captions = (await readFile(join(import.meta.dirname, '../../../models/captions.txt'), 'utf8')).split('\n')
  const odd = [
    '',
    ' ',
    '\n\t',
    'ÄÖÜ ß İ',
    '猫が座る',
    '👩‍👩‍👧 🎬',
    '\ud83d',
    '\ufffd',
    '</w>',
    '</s> <unk> <0x0A>',
    '##s',
    '__proto__',
  ]
  const texts = [
    ...captions,
    ...odd,
    ...captions.slice(0, 60).map((text, i) => `${text.toUpperCase()}${odd[i % odd.length]}`),
  ]
  texts.push('a'.repeat(300), 'no spaces'.replaceAll(' ', '▁'), '1234567890'.repeat(9))

  /** Byte fallback and scores, as the tokenizers of SigLIP and SigLIP2 have them, on the pieces of a small alphabet. */
  const letters = [...'▁abcdefghijklmnopqrstuvwxyz']
  const pairs = letters.flatMap((a) => [...'aeiourst'].map((b) => [a, b] as const))
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`)
  const around = {
    added_tokens: [{ id: 1, content: '<eos>', special: true, normalized: false }],
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '<eos>', type_id: 0 } }],
      pair: [],
      special_tokens: { '<eos>': { id: '<eos>', ids: [1], tokens: ['<eos>'] } },
    },
    decoder: null,
  }
  const pieces = ['<unk>', '<eos>', ...bytes, ...letters, ...pairs.map((pair) => pair.join(''))]
  const bpe = {
    ...around,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(pieces.map((piece, i) => [piece, i])),
      merges: pairs,
      unk_token: '<unk>',
      byte_fallback: true,
      fuse_unk: true,
    },
  }
  const scored = pieces.map((piece, i) => [piece, -1 - ((i * 7919) % 1000) / 100])
  const unigram = { ...around, model: { type: 'Unigram', vocab: scored, unk_id: 0 } }
  const written = async (name: string, json: object) => {
    const tokenizer = join(folder, name)
    await writeFile(tokenizer, JSON.stringify(json))
    return { file: '', tokenizer, maxTokens: 64, lowercase: true }
  }

  test.each([
    ['CLIP', async () => clip],
    ['the starter model', async () => starter],
    ['pieces with byte fallback', () => written('bpe.json', bpe)],
    ['pieces with scores', () => written('unigram.json', unigram)],
  ])('of %s gives the ids of the whole, when it is written and when it is read', async (_, towerOf) => {
    const tower = await towerOf()
    const kept = await mkdtemp(join(folder, 'kept-'))
    const whole = await openTokenizer(tower)
    const wanted = texts.map(whole)
    for (let i = 0; i < 2; i++) expect(texts.map(await openTokenizer(tower, kept))).toEqual(wanted)
    expect(await readdir(kept)).toEqual([expect.stringMatching(/^tokens-/)])
  })

  test('is made again when the file has changed, and left aside when it is damaged', async () => {
    const kept = await mkdtemp(join(folder, 'kept-'))
    const tower = await written('changed.json', unigram)
    await openTokenizer(tower, kept)
    const { vocab } = unigram.model
    await writeFile(
      tower.tokenizer,
      JSON.stringify({ ...unigram, model: { ...unigram.model, vocab: vocab.toReversed(), unk_id: vocab.length - 1 } }),
    )
    const wanted = texts.map(await openTokenizer(tower))
    expect(texts.map(await openTokenizer(tower, kept))).toEqual(wanted)
    for (const name of await readdir(kept)) await truncate(join(kept, name), 5000)
    expect(texts.map(await openTokenizer(tower, kept))).toEqual(wanted)
  })
})
