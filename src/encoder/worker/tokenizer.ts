import { readFile } from 'node:fs/promises'
import { Tokenizer } from '@huggingface/tokenizers'
import type { TextTower } from '../../models/model.ts'
import type { TextNotes } from '../channel.ts'

export type Tokens = TextNotes & { readonly ids: readonly number[] }

export type Tokenize = (text: string) => Tokens

/** Reads a tokenizer.json; what it gives is never longer than the model's context and keeps its closing token. */
export const openTokenizer = async (tower: TextTower): Promise<Tokenize> => {
  const json: TokenizerJson = JSON.parse(await readFile(tower.tokenizer, 'utf8'))
  const tokenizer = new Tokenizer(withoutSpecialTokens(json), {})
  const clean = tower.cleaning === 'clip' ? (await import('./clean.ts')).cleanForClip : (text: string) => text
  const around: readonly number[] = tokenizer.encode('').ids
  const unknownId = unknownIdOf(json)
  return (text) => {
    const cleaned = clean(text)
    const { ids }: { ids: readonly number[] } = tokenizer.encode(tower.lowercase ? cleaned.toLowerCase() : cleaned)
    const unknown = ids.every((id) => id === unknownId || around.includes(id))
    return { ...cut(ids, tower.maxTokens), unknown }
  }
}

/** The parts of a tokenizer.json that are read here. */
type TokenizerJson = {
  readonly added_tokens?: readonly { readonly content: string; readonly special: boolean }[]
  readonly model: {
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[]
    readonly unk_token?: string | null
    readonly unk_id?: number | null
  }
}

const unknownIdOf = ({ model: { vocab, unk_token, unk_id } }: TokenizerJson): number | undefined =>
  unk_id ?? (unk_token && !Array.isArray(vocab) ? (vocab as Readonly<Record<string, number>>)[unk_token] : undefined)

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
