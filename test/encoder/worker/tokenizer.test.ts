import { mkdtemp, readFile, rm } from 'node:fs/promises'
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
