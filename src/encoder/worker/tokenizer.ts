import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import type { TextTower } from '../../models/model.ts'
import type { TextNotes } from '../channel.ts'
import { contentOf, hashOf } from './kept.ts'
import { type OpenedTokenizer, readLexicon, type TokenizerJson, writeLexicon } from './lexicon.ts'

export type Tokens = TextNotes & { readonly ids: readonly number[] }

export type Tokenize = (text: string) => Tokens

/**
 * Reads a tokenizer.json; what it gives is never longer than the model's context and keeps its closing token.
 *
 * @param preparedFolder where the quick form of it lies, or is written; left out: the file itself is read
 */
export const openTokenizer = async (tower: TextTower, preparedFolder?: string): Promise<Tokenize> => {
  const { tokenizer, unknownId } =
    (preparedFolder && (await openQuick(tower.tokenizer, preparedFolder))) || openWhole(await readJson(tower.tokenizer))
  const clean = tower.cleaning === 'clip' ? (await import('./clean.ts')).cleanForClip : (text: string) => text
  const around: readonly number[] = tokenizer.encode('').ids
  return (text) => {
    const cleaned = clean(text)
    const { ids }: { ids: readonly number[] } = tokenizer.encode(tower.lowercase ? cleaned.toLowerCase() : cleaned)
    const unknown = ids.every((id) => id === unknownId || around.includes(id))
    return { ...cut(ids, tower.maxTokens), unknown }
  }
}

const openWhole = (json: TokenizerJson): OpenedTokenizer => {
  const { vocab, unk_token, unk_id } = json.model
  const unknownId =
    unk_id ?? (unk_token && !Array.isArray(vocab) ? (vocab as Readonly<Record<string, number>>)[unk_token] : undefined)
  return { tokenizer: new Tokenizer(json, {}), unknownId }
}

const readJson = async (file: string): Promise<TokenizerJson> =>
  withoutSpecialTokens(JSON.parse(await readFile(file, 'utf8')))

/** Changes when what is written changes. */
const version = 1

/** What cannot be kept costs a little time at each start and nothing else. @returns `undefined` then */
const openQuick = async (file: string, folder: string): Promise<OpenedTokenizer | undefined> => {
  try {
    const kept = join(folder, `tokens-${hashOf([version, await contentOf(file)])}`)
    const known = await readFile(kept).catch(() => undefined)
    if (known) return readLexicon(known)
    const written = writeLexicon(await readJson(file))
    if (!written) return undefined
    await mkdir(folder, { recursive: true })
    const beside = `${kept}.${randomUUID()}`
    await writeFile(beside, written, { flush: true })
    await rename(beside, kept)
    return readLexicon(written)
  } catch {
    return undefined
  }
}

/**
 * A special token's name that a user types (`[SEP]`, `<|endoftext|>`) is plain text and must not end the text for the
 * model. The tokens around the text are found in the vocabulary as well; one that stands only in the list stays there.
 */
const withoutSpecialTokens = (json: TokenizerJson): TokenizerJson => {
  const { vocab } = json.model
  const words = Array.isArray(vocab) ? new Set(vocab.map(([word]) => word)) : undefined
  const known = (word: string) => (words ? words.has(word) : Object.hasOwn(vocab, word))
  return {
    ...json,
    added_tokens: (json.added_tokens ?? []).filter(({ content, special }) => !special || !known(content)),
  }
}

/** The model reads the text's meaning off the closing token (or needs it as a border): cutting must not take it. */
const cut = (ids: readonly number[], maxTokens: number): Omit<Tokens, 'unknown'> =>
  ids.length <= maxTokens
    ? { ids, truncated: false }
    : { ids: [...ids.slice(0, maxTokens - 1), ids.at(-1)!], truncated: true }
