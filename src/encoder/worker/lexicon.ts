import { Tokenizer } from '@huggingface/tokenizers'

/*
 * A tokenizer.json with 256,000 pieces takes a second and 200 MB to read, and a query needs a few hundred of them. So its
 * pieces are written once as a sorted list, in which those that a word is made of are found by bisection. The library
 * splits the word with a model of these alone, which gives what it gives with all of them: a piece that is no part of
 * the word takes no part in splitting it.
 */

/** The parts of a tokenizer.json that are read here. */
export type TokenizerJson = {
  readonly added_tokens?: readonly { readonly id: number; readonly content: string; readonly special: boolean }[]
  readonly model: {
    readonly type?: string
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[]
    readonly merges?: readonly (string | readonly [string, string])[]
    readonly unk_token?: string | null
    readonly unk_id?: number | null
    readonly end_of_word_suffix?: string | null
    readonly continuing_subword_prefix?: string | null
  }
}

/** What stands before the arrays: the tokenizer without its pieces, and how long each array is. */
type Header = {
  readonly tokenizer: TokenizerJson
  readonly pieces: number
  readonly merges: number
  readonly hasScores: boolean
  readonly textBytes: number
  /** Pieces that any word may need: for what is unknown, single bytes, the least score. */
  readonly always: readonly string[]
}

const layout = ({ pieces, merges, hasScores }: Header) => {
  let at = 0
  const next = (bytes: number): number => {
    at += bytes
    return at - bytes
  }
  return {
    /** Of each piece: its score, and its id. */
    scores: next(hasScores ? 8 * pieces : 0),
    ids: next(4 * pieces),
    /** Where its UTF-8 begins, and where what it is merged from; the end of the last one stands behind them. */
    starts: next(4 * (pieces + 1)),
    mergeStarts: next(4 * (pieces + 1)),
    /** Of each merge: its rank, and the bytes of its first part. */
    ranks: next(4 * merges),
    splits: next(4 * merges),
    text: next(0),
  }
}

/** @returns `undefined` for a kind of tokenizer that cannot be split up like this */
export const writeLexicon = (tokenizer: TokenizerJson): Buffer | undefined => {
  const { model } = tokenizer
  const { vocab, merges = [] } = model
  const isUnigram = Array.isArray(vocab)
  const entries: (readonly [string, number, number])[] = isUnigram
    ? (vocab as readonly (readonly [string, number])[]).map(([piece, score], id) => [piece, id, score])
    : Object.entries(vocab).map(([piece, id]) => [piece, id, 0])
  const indexOf = new Map<string, number>()
  const sorted = entries.map(([piece, id, score]) => ({ piece, id, score, bytes: Buffer.from(piece) }))
  sorted.sort((a, b) => Buffer.compare(a.bytes, b.bytes))
  for (const [i, { piece }] of sorted.entries()) indexOf.set(piece, i)
  const isKnownKind =
    ['BPE', 'Unigram', 'WordPiece'].includes(model.type ?? '') && isUnigram === (model.type === 'Unigram')
  if (!isKnownKind || indexOf.size < sorted.length || sorted.some(({ piece, bytes }) => bytes.toString() !== piece))
    return undefined

  const madeFrom: [rank: number, split: number][][] = sorted.map(() => [])
  for (const [rank, merge] of merges.entries()) {
    const [first, second] = typeof merge === 'string' ? merge.split(' ', 2) : merge
    const index = indexOf.get(`${first}${second}`)
    if (index === undefined) return undefined
    madeFrom[index]!.push([rank, Buffer.byteLength(first!)])
  }
  const unknown = isUnigram ? entries[model.unk_id ?? -1]?.[0] : (model.unk_token ?? undefined)
  if (isUnigram && unknown === undefined) return undefined
  const least = isUnigram ? entries.reduce((a, b) => (b[2] < a[2] ? b : a))[0] : undefined
  const bytes = [...indexOf.keys()].filter((piece) => /^<0x[0-9A-F]{2}>$/.test(piece))
  const header: Header = {
    tokenizer: { ...tokenizer, model: { ...model, vocab: {}, merges: [] } },
    pieces: sorted.length,
    merges: merges.length,
    hasScores: isUnigram,
    textBytes: sorted.reduce((sum, { bytes }) => sum + bytes.length, 0),
    always: [...new Set([unknown, least, ...bytes])].filter(
      (piece) => piece !== undefined && indexOf.has(piece),
    ) as string[],
  }
  const at = layout(header)
  const body = Buffer.alloc(at.text + header.textBytes)
  let [text, merge] = [0, 0]
  for (const [i, { id, score, bytes }] of sorted.entries()) {
    if (isUnigram) body.writeDoubleLE(score, at.scores + 8 * i)
    body.writeUInt32LE(id, at.ids + 4 * i)
    body.writeUInt32LE(text, at.starts + 4 * i)
    body.writeUInt32LE(merge, at.mergeStarts + 4 * i)
    for (const [rank, split] of madeFrom[i]!) {
      body.writeUInt32LE(rank, at.ranks + 4 * merge)
      body.writeUInt32LE(split, at.splits + 4 * merge++)
    }
    text += bytes.copy(body, at.text + text)
  }
  body.writeUInt32LE(text, at.starts + 4 * sorted.length)
  body.writeUInt32LE(merge, at.mergeStarts + 4 * sorted.length)
  const head = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(head.length)
  return Buffer.concat([length, head, body])
}

export type OpenedTokenizer = {
  readonly tokenizer: Tokenizer
  /** Stands for what the vocabulary does not have. */
  readonly unknownId: number | undefined
}

/** @throws if the bytes are not what {@link writeLexicon} wrote */
export const readLexicon = (bytes: Buffer): OpenedTokenizer => {
  const headBytes = bytes.readUInt32LE(0)
  const header: Header = JSON.parse(bytes.toString('utf8', 4, 4 + headBytes))
  const body = bytes.subarray(4 + headBytes)
  const at = layout(header)
  if (body.length !== at.text + header.textBytes) throw new Error('Expected a whole lexicon')

  const startOf = (i: number): number => at.text + body.readUInt32LE(at.starts + 4 * i)
  const pieceOf = (i: number): string => body.toString('utf8', startOf(i), startOf(i + 1))
  /** The first piece in a range whose beginning is (also) behind the one that is looked for. */
  const bound = ([from, to]: Range, beginning: Buffer, isBehind: boolean): number => {
    let [low, high] = [from, to]
    while (low < high) {
      const middle = (low + high) >>> 1
      const end = Math.min(startOf(middle + 1), startOf(middle) + beginning.length)
      const order = body.compare(beginning, 0, beginning.length, startOf(middle), end)
      if (order < 0 || (isBehind && order === 0)) low = middle + 1
      else high = middle
    }
    return low
  }
  const narrow = (range: Range, beginning: Buffer): Range => {
    const from = bound(range, beginning, false)
    return [from, bound([from, range[1]], beginning, true)]
  }
  /** @returns the piece that is just that, of those that begin so */
  const exact = ([from, to]: Range, piece: Buffer): number | undefined =>
    from < to && startOf(from + 1) - startOf(from) === piece.length ? from : undefined
  const all: Range = [0, header.pieces]
  const find = (piece: string): number | undefined => {
    const bytes = Buffer.from(piece)
    return exact(narrow(all, bytes), bytes)
  }

  const { model } = header.tokenizer
  const suffix = model.end_of_word_suffix ?? ''
  const prefix = (model.type === 'WordPiece' && model.continuing_subword_prefix) || ''
  const partsOf = (word: string, found: Set<number>): void => {
    const characters = Array.from(word)
    for (const start of characters.keys()) {
      let part = start > 0 ? prefix : ''
      let range = all
      for (let end = start + 1; end <= characters.length && range[0] < range[1]; end++) {
        part += characters[end - 1]
        const bytes = Buffer.from(part)
        range = narrow(range, bytes)
        const closing = suffix && end === characters.length ? find(part + suffix) : undefined
        for (const index of [exact(range, bytes), closing]) if (index !== undefined) found.add(index)
      }
    }
  }
  const mergesOf = (index: number): { rank: number; parts: [string, string] }[] => {
    const [from, to] = [index, index + 1].map((i) => body.readUInt32LE(at.mergeStarts + 4 * i)) as [number, number]
    return Array.from({ length: to - from }, (_, i) => {
      const middle = startOf(index) + body.readUInt32LE(at.splits + 4 * (from + i))
      const parts: [string, string] = [
        body.toString('utf8', startOf(index), middle),
        body.toString('utf8', middle, startOf(index + 1)),
      ]
      return { rank: body.readUInt32LE(at.ranks + 4 * (from + i)), parts }
    })
  }
  const always = header.always.map((piece) => find(piece)!)
  const modelOf = (words: readonly string[]) => {
    const found = new Set(always)
    for (const word of words) partsOf(word, found)
    const indices = [...found].sort((a, b) => a - b)
    const pieces = indices.map(pieceOf)
    if (model.type === 'Unigram') {
      const vocab = indices.map((index, i) => [pieces[i], body.readDoubleLE(at.scores + 8 * index)])
      return libraryModel({ ...model, vocab, unk_id: pieces.indexOf(header.always[0]!) }, [])
    }
    const vocab = Object.fromEntries(pieces.map((piece, i) => [piece, i]))
    const merges = indices.flatMap(mergesOf).sort((a, b) => a.rank - b.rank)
    return libraryModel({ ...model, vocab, merges: merges.map(({ parts }) => parts) }, header.tokenizer.added_tokens)
  }
  const libraryModel = (config: object, addedTokens: TokenizerJson['added_tokens'] = []) =>
    new Tokenizer({ ...header.tokenizer, added_tokens: addedTokens, model: config }, {}).model!

  const idOf = (piece: string): number | undefined => {
    const index = find(piece)
    return index === undefined ? undefined : body.readUInt32LE(at.ids + 4 * index)
  }
  const unknown = model.type === 'Unigram' ? header.always[0] : model.unk_token
  const unknownId = unknown == null ? undefined : idOf(unknown)
  const tokenizer = new Tokenizer({ ...header.tokenizer, model: { type: 'WordPiece', vocab: {} } }, {})
  const standIn = (words: string[]): string[] => modelOf(words)(words)
  tokenizer.model = Object.assign(standIn, {
    tokens_to_ids: { get: idOf },
    unk_token_id: unknownId,
  }) as unknown as typeof tokenizer.model
  return { tokenizer, unknownId }
}

/** [from, to) of the sorted pieces. */
type Range = readonly [number, number]
