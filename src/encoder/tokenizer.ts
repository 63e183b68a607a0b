import { readFile } from 'node:fs/promises'
import { Tokenizer } from '@huggingface/tokenizers'
import type { TextTower } from '../models/model.ts'

export type Tokens = { readonly ids: readonly number[]; readonly truncated: boolean }

export type Tokenize = (text: string) => Tokens

/** Reads a tokenizer.json; what it gives is never longer than the model's context and keeps its closing token. */
export const openTokenizer = async (tower: TextTower): Promise<Tokenize> => {
  const tokenizer = new Tokenizer(JSON.parse(await readFile(tower.tokenizer, 'utf8')), {})
  return (text) => cut(tokenizer.encode(tower.lowercase ? text.toLowerCase() : text).ids, tower.maxTokens)
}

/** The model reads the text's meaning off the closing token (or needs it as a border): cutting must not take it. */
const cut = (ids: readonly number[], maxTokens: number): Tokens =>
  ids.length <= maxTokens
    ? { ids, truncated: false }
    : { ids: [...ids.slice(0, maxTokens - 1), ids.at(-1)!], truncated: true }
