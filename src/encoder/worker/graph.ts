import type { InferenceSession } from 'onnxruntime-node'
import type { ImageTower, TextTower } from '../../models/model.ts'
import { embeddingNames } from '../../models/onnx.ts'

/*
 * Exports of the same model differ: in names and types, in whether pixels are normalised inside, in whether there is a
 * batch axis and whether its length is fixed. All that is read from the graph, so that a description need not say it.
 */

type Info = InferenceSession.TensorValueMetadata

/** The tensors of a loaded graph. */
export type Graph = { readonly inputs: readonly Info[]; readonly outputs: readonly Info[] }

export const graphOf = (session: InferenceSession): Graph => ({
  inputs: session.inputMetadata.filter((info) => info.isTensor),
  outputs: session.outputMetadata.filter((info) => info.isTensor),
})

export type PictureInput = {
  readonly name: string
  /** Floats: [3, size, size], normalised; `uint8`: [size, size, 3] as decoded, normalised inside. */
  readonly type: 'float32' | 'float16' | 'uint8'
  /** Pictures a run where the graph fixes it, else `undefined`. */
  readonly fixedBatch: number | undefined
  /** Shape of an input of `count` pictures. */
  readonly dims: (count: number) => readonly number[]
}

/** @throws if the graph takes no picture of the tower's size */
export const pictureInput = ({ inputs }: Graph, { input, size }: Pick<ImageTower, 'input' | 'size'>): PictureInput => {
  const info = pick(inputs, input, 'input')
  const { name, type, shape } = info
  const wanted = type === 'uint8' ? [size, size, 3] : [3, size, size]
  const fits = shape.slice(-3).every((length, i) => typeof length !== 'number' || length === wanted[i])
  if ((type !== 'float32' && type !== 'float16' && type !== 'uint8') || shape.length < 3 || shape.length > 4 || !fits) {
    throw new Error(`Expected an input of float32 [batch, 3, ${size}, ${size}], got ${inWords(info)}`)
  }
  if (shape.length === 3) return { name, type, fixedBatch: 1, dims: () => wanted }
  return { name, type, fixedBatch: fixed(shape[0]), dims: (count) => [count, ...wanted] }
}

export type TextInput = {
  readonly ids: string
  /** 1 for each token of the text, 0 for what fills it up. */
  readonly mask: string | undefined
  /** All 0: there is one text. */
  readonly segments: string | undefined
  readonly type: 'int64' | 'int32'
  /** Tokens a text where the graph fixes it, else `undefined`. */
  readonly fixedLength: number | undefined
  /** Shape of one text. */
  readonly dims: (length: number) => readonly number[]
}

/** @throws if the graph takes no token ids, or something else besides */
export const textInput = ({ inputs }: Graph, tower: Pick<TextTower, 'inputs' | 'maxTokens'>): TextInput => {
  for (const name of tower.inputs ?? []) pick(inputs, name, 'input')
  const named = (name: string) => inputs.find((info) => info.name === name)?.name
  const [mask, segments] = [named('attention_mask'), named('token_type_ids')]
  const others = inputs.filter(({ name }) => name !== mask && name !== segments)
  const info = pick(others, undefined, 'input')
  const { name: ids, type, shape } = info
  if ((type !== 'int64' && type !== 'int32') || shape.length < 1 || shape.length > 2) {
    throw new Error(`Expected an input of int64 or int32 [batch, tokens], got ${inWords(info)}`)
  }
  const fixedLength = fixed(shape.at(-1))
  if (fixedLength !== undefined && fixedLength < tower.maxTokens) {
    throw new Error(`Expected maxTokens to be at most ${fixedLength}, as the graph has it, got ${tower.maxTokens}`)
  }
  return { ids, mask, segments, type, fixedLength, dims: (length) => (shape.length === 1 ? [length] : [1, length]) }
}

/** @throws if it is not clear which output is the embedding */
export const outputName = ({ outputs }: Graph, wanted: string | undefined): string => {
  const usual = embeddingNames.find((usualName) => outputs.some(({ name }) => name === usualName))
  return pick(outputs, wanted ?? usual, 'output').name
}

const pick = (infos: readonly Info[], name: string | undefined, what: string): Info => {
  const found = name === undefined ? infos.length === 1 && infos[0] : infos.find((info) => info.name === name)
  if (found) return found
  const wanted = name === undefined ? `one ${what}` : `an ${what} "${name}"`
  throw new Error(`Expected a graph with ${wanted}, got ${infos.map(inWords).join(', ') || 'none'}`)
}

/** A length of 0 or below, or a name, means that any length will do. */
const fixed = (length: number | string | undefined): number | undefined =>
  typeof length === 'number' && length > 0 ? length : undefined

const inWords = ({ name, type, shape }: Info): string => `"${name}" (${type} [${shape.join(', ')}])`
