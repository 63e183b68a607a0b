import { readFile } from 'node:fs/promises'
import { Tokenizer } from '@huggingface/tokenizers'
import type { TextTower } from '../models/model.ts'

export type Tokens = { readonly ids: readonly number[]; readonly truncated: boolean }

export type Tokenize = (text: string) => Tokens

/** Reads a tokenizer.json; what it gives is never longer than the model's context and keeps its closing token. */
export const openTokenizer = async (tower: TextTower): Promise<Tokenize> => {
  const tokenizer = new Tokenizer(withoutSpecialTokens(JSON.parse(await readFile(tower.tokenizer, 'utf8'))), {})
  const clean = tower.cleaning === 'clip' ? (await import('./clean.ts')).cleanForClip : (text: string) => text
  return (text) => {
    const cleaned = clean(text)
    return cut(tokenizer.encode(tower.lowercase ? cleaned.toLowerCase() : cleaned).ids, tower.maxTokens)
  }
}

/** The parts of a tokenizer.json that are read here. */
type TokenizerJson = {
  readonly added_tokens?: readonly { readonly content: string; readonly special: boolean }[]
  readonly model: { readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[] }
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
const cut = (ids: readonly number[], maxTokens: number): Tokens =>
  ids.length <= maxTokens
    ? { ids, truncated: false }
    : { ids: [...ids.slice(0, maxTokens - 1), ids.at(-1)!], truncated: true }
