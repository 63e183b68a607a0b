import { Tensor } from 'onnxruntime-node'
import type { TextTower } from '../models/model.ts'
import { graphOf, outputName, type TextInput, textInput } from './graph.ts'
import { type Rows, rowsOf, stack } from './rows.ts'
import { openSession, type Tower, type TowerSettings } from './session.ts'
import { openTokenizer } from './tokenizer.ts'

export type RunTexts = (texts: readonly string[]) => Promise<Rows & { readonly truncated: readonly number[] }>

/**
 * Loads the text tower and its tokenizer. Texts run one by one, each at its own length where the model allows it, and so
 * always with the same result whatever else is asked.
 */
export const openTextTower = async (tower: TextTower, settings: TowerSettings): Promise<Tower<RunTexts>> => {
  const [session, tokenize] = await Promise.all([openSession(tower.file, settings), openTokenizer(tower)])
  const feed = feeder(tower, textInput(graphOf(session), tower))
  const output = outputName(graphOf(session), tower.output)
  return {
    run: async (texts) => {
      const parts: Rows[] = []
      const truncated: number[] = []
      for (const [i, text] of texts.entries()) {
        const tokens = tokenize(text)
        if (tokens.truncated) truncated.push(i)
        parts.push(rowsOf((await session.run(feed(tokens.ids), [output]))[output], 1))
      }
      return { ...stack(parts), truncated }
    },
    release: () => session.release(),
  }
}

/** @throws if the graph wants a length, and nothing says what to fill a text up with */
const feeder = (tower: TextTower, input: TextInput): ((ids: readonly number[]) => Record<string, Tensor>) => {
  const { padding, maxTokens } = tower
  if (input.fixedLength !== undefined && padding === undefined) {
    throw new Error(`Expected the description to give text.padding, as the graph takes ${input.fixedLength} tokens`)
  }
  const least = input.fixedLength ?? (padding === undefined ? 0 : maxTokens)
  return (ids) => {
    const length = Math.max(ids.length, least)
    const row = (value: (i: number) => number) => tensorOf(input, length, value)
    return {
      [input.ids]: row((i) => ids[i] ?? padding!),
      ...(input.mask && { [input.mask]: row((i) => (i < ids.length ? 1 : 0)) }),
      ...(input.segments && { [input.segments]: row(() => 0) }),
    }
  }
}

const tensorOf = ({ type, dims }: TextInput, length: number, value: (i: number) => number): Tensor =>
  type === 'int64'
    ? new Tensor(
        type,
        BigInt64Array.from({ length }, (_, i) => BigInt(value(i))),
        dims(length),
      )
    : new Tensor(
        type,
        Int32Array.from({ length }, (_, i) => value(i)),
        dims(length),
      )
