import type { EncodeTextOptions } from '../encoder/encoder.ts'
import { UsageError } from '../errors.ts'
import { sameFrameOf } from './copies.ts'
import type { PictureContext } from './picture.ts'
import { checkQuery, type Example, isPlain, type Phrase, parseQuery, type Query, type Step } from './query.ts'

/** A phrase with its embedding, a unit vector. */
export type EncodedPhrase = Phrase & { readonly vector: Float32Array }

export type EncodedStep = {
  readonly wanted: readonly EncodedPhrase[]
  readonly unwanted: readonly EncodedPhrase[]
  /** Of all that is wanted in one text, where that is more than one phrase. */
  readonly together?: Float32Array
}

/** What to look for in the store. Vectors are unit vectors of the store's dimension. */
export type Target =
  | { readonly kind: 'words'; readonly vector: Float32Array }
  | { readonly kind: 'phrases'; readonly steps: readonly EncodedStep[] }
  | {
      readonly kind: 'example'
      readonly vector: Float32Array
      readonly likes: readonly Float32Array[]
      /** Score between two pictures from which on they show the same. */
      readonly alikeScore: number
      readonly words?: Float32Array
    }

export type ResolveContext = PictureContext & Pick<EncodeTextOptions, 'onTruncated' | 'onUnknown'>

/**
 * Encodes a query: its phrases in one call, its pictures as {@link pictureVector} says.
 *
 * @throws QueryError, UsageError as {@link parseQuery}
 * @throws what {@link pictureVector} throws
 */
export const resolveQuery = async (query: Query, context: ResolveContext): Promise<Target> => {
  if (typeof query !== 'string') return resolveExample(query, context)
  const steps = await encodeSteps(parseQuery(query), context)
  if (isPlain(steps)) return { kind: 'words', vector: steps[0]!.wanted[0]!.vector }
  return { kind: 'phrases', steps }
}

const encodeSteps = async (steps: readonly Step[], context: ResolveContext): Promise<readonly EncodedStep[]> => {
  const { encoder, signal, onTruncated, onUnknown } = context
  const togetherOf = ({ wanted }: Step) => (wanted.length > 1 ? [listed(wanted.map(({ text }) => text))] : [])
  const texts = steps.flatMap((step) => [...step.wanted, ...step.unwanted].map(({ text }) => text))
  const joint = steps.flatMap(togetherOf)
  const vectors = await encoder.encodeTexts([...texts, ...joint], { signal, onTruncated, onUnknown })
  const left = vectors.slice(0, texts.length)
  const leftTogether = vectors.slice(texts.length)
  const encoded = (phrases: readonly Phrase[]) => phrases.map((phrase) => ({ ...phrase, vector: left.shift()! }))
  return steps.map((step) => {
    const wanted = encoded(step.wanted)
    return {
      wanted,
      unwanted: encoded(step.unwanted),
      together: wanted.length > 1 ? leftTogether.shift() : undefined,
    }
  })
}

/** "a dog, a cat and a beach" */
const listed = (texts: readonly string[]): string => `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`

/** How much all dislikes together take away, where likes and words together count 1. */
const dislikes = 0.5

/** Pictures each of words: what words score differs far less from patch to patch than what pictures do. */
const picturesOfWords = 4

/**
 * Rocchio's rule: the mean of what is liked, words counting several times, less a fraction of the mean of what is not.
 *
 * Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 9.1.1.
 */
const resolveExample = async (example: Example, context: ResolveContext): Promise<Target> => {
  checkQuery(example)
  const { text = '', like = [], unlike = [] } = example
  const { pictureVector } = await import('./picture.ts')
  const pictures = (given: typeof like) => Promise.all(given.map((picture) => pictureVector(picture, context)))
  const steps = text.trim() === '' ? [] : await encodeSteps(parseQuery(text), context)
  const likes = await pictures(like)
  const unlikes = await pictures(unlike)
  const texts = (kind: 'wanted' | 'unwanted') => steps.flatMap((step) => step[kind]).map(({ vector }) => vector)
  const words = steps.length > 0 ? unit(sum(texts('wanted'))) : undefined
  const alikeScore = 100 * sameFrameOf(context.encoder.model)
  const wanted = mean([...likes, ...(words ? Array<Float32Array>(picturesOfWords).fill(words) : [])])
  const unwanted = [...unlikes, ...texts('unwanted')]
  const vector = unwanted.length > 0 ? mean(unwanted).map((x, i) => wanted[i]! - dislikes * x) : wanted
  return { kind: 'example', vector: unit(vector), likes, alikeScore, words }
}

const sum = (vectors: readonly Float32Array[]): Float32Array =>
  vectors[0]!.map((_, i) => vectors.reduce((total, each) => total + each[i]!, 0))

const mean = (vectors: readonly Float32Array[]): Float32Array => sum(vectors).map((x) => x / vectors.length)

/** @throws UsageError if nothing is left of it */
const unit = (vector: Float32Array): Float32Array => {
  const length = Math.hypot(...vector)
  if (length > 1e-6) return vector.map((x) => x / length)
  throw new UsageError('Expected likes and dislikes that differ, got the same', { remedy: 'Leave one of them out' })
}
