import { Tensor } from 'onnxruntime-node'
import type { TextTower } from '../models/model.ts'
import { type Output, toOutput } from './imageTower.ts'
import { openTokenizer } from './tokenizer.ts'
import { openSession, type Tower, type TowerSettings } from './tower.ts'

export type RunTexts = (texts: readonly string[]) => Promise<Output & { readonly truncated: readonly number[] }>

/**
 * Loads the text tower and its tokenizer. Texts run one by one: each at its own length, without padding, and so always
 * with the same result whatever else is asked.
 */
export const openTextTower = async (tower: TextTower, settings: TowerSettings): Promise<Tower<RunTexts>> => {
  const [session, tokenize] = await Promise.all([openSession(tower.file, settings), openTokenizer(tower)])
  return {
    run: async (texts) => {
      const rows: Output[] = []
      const truncated: number[] = []
      for (const [i, text] of texts.entries()) {
        const tokens = tokenize(text)
        if (tokens.truncated) truncated.push(i)
        rows.push(toOutput((await session.run(feeds(tower, tokens.ids), [tower.output]))[tower.output]))
      }
      return { ...stack(rows), truncated }
    },
    release: () => session.release(),
  }
}

const feeds = ({ inputs }: TextTower, ids: readonly number[]): Record<string, Tensor> => {
  const row = (of: (id: number) => number) =>
    new Tensor(
      'int64',
      BigInt64Array.from(ids, (id) => BigInt(of(id))),
      [1, ids.length],
    )
  return Object.fromEntries(inputs.map((name) => [name, row(name === 'attention_mask' ? () => 1 : (id) => id)]))
}

/** Joins rows of shape [1, dimension]; a tower that gives anything else is found out by the check of the whole. */
const stack = (rows: readonly Output[]): Output => {
  const data = new Float32Array(rows.reduce((sum, row) => sum + row.data.length, 0))
  let at = 0
  for (const row of rows) {
    data.set(row.data, at)
    at += row.data.length
  }
  return { data, dims: [rows.length, ...(rows[0]?.dims.slice(1) ?? [])] }
}
