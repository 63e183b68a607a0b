import { VidgrepError } from '../errors.ts'
import type { ModelInput } from '../patches/views.ts'
import type { LesserPrecision } from '../settings.ts'

/** The model is known, but its files are missing, damaged, described wrongly, or could not be had. */
export class ModelError extends VidgrepError {}

/**
 * All that has to be known of a CLIP-like model; a model is data, not code. Checked by the schema in manifest.ts.
 * Files are absolute paths here: the model lies on disk.
 */
export type Model = {
  /** Stands in every collection: changes whenever the embeddings would, so it ends in the precision where that is a lesser one. */
  readonly id: string
  /** What the user types. */
  readonly name: string
  readonly description: string
  /** Numbers in an embedding. */
  readonly dimension: number
  /** Score (100·cosine) under which a hit is no result; `undefined` where nobody measured one. */
  readonly threshold: number | undefined
  /** Cosine from which on two whole frames show the same; left out where nobody measured it. */
  readonly sameFrame?: number
  readonly licence: string
  /** ISO 639-1 codes of the languages that it knows, or `multilingual`; `undefined` where nobody says. */
  readonly languages?: readonly string[]
  readonly image: ImageTower
  readonly text: TextTower
}

export type ImageTower = Required<ModelInput> & {
  readonly file: string
  /** The same tower in half precision, for a GPU; where it is on disk. */
  readonly halfFile?: string
  /** The same tower in lesser precisions, as far as they are on disk. */
  readonly lesserFiles?: Readonly<Partial<Record<LesserPrecision, string>>>
  /** A channel's value, 0–1, becomes (value − mean) / std; red, green, blue. */
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
  /** Names of the graph's tensors; where they are left out, the graph itself has to be clear enough. */
  readonly input?: string
  readonly output?: string
  /** Pictures a batch that a CPU runs fastest, where it is not the default. */
  readonly batch?: number
}

export type TextTower = {
  readonly file: string
  readonly tokenizer: string
  /** Names of the graph's tensors; where they are left out, the graph itself has to be clear enough. */
  readonly inputs?: readonly string[]
  readonly output?: string
  /** Context length in tokens, the closing one included. */
  readonly maxTokens: number
  readonly lowercase: boolean
  /** `clip`: the text is repaired as OpenAI's tokenizer does it, before it is split. */
  readonly cleaning?: 'clip'
  /** Id that a short text is filled up with to `maxTokens`; left out: not filled up, unless the graph wants a length. */
  readonly padding?: number
}
